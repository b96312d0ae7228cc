/**
 * Patterns of the published list that are no bots for a shop.
 *
 * They are integrations that send orders, webhooks or imports for a shop, libraries, and browsers of people.
 */
export const NO_BOTS: ReadonlySet<string> = new Set([
  // Shops, payment, shipping, mail and automation.
  'WordPress/',
  'Shopify-Captain-Hook',
  'Metorik',
  'Snipcart/',
  'Sora POS/',
  'SFDC-Callout/',
  'SparkShipping',
  'Stripe/',
  'PayPal/',
  'Mollie HTTP client',
  'GoPay',
  'Trustly/',
  'Recurly Webhooks/',
  'BlingERP',
  'Bling ERP',
  'easybill-ImportManager',
  'channable',
  'Klaviyo/',
  'MailChimp',
  'Omnisend/',
  'SendGrid Event API',
  'SparkPost',
  'HubSpot',
  'Zendesk Webhook',
  'Svix-Webhooks/',
  'Zapier',
  'Make/',
  'Integromat/',
  'IFTTT/',
  'Retool/',
  'Stape/',
  'Google-Apps-Script',
  'TwilioProxy/',
  'NextCloud',
  'YokoyGroupAG/',
  'Webflow',
  // HTTP libraries without their tag.
  'Indy Library',
  'NetAPI',
  // Browsers of people: Facebook's in-app browser, an editor's, a shell around Safari.
  'MetaIAB Facebook',
  'Code/1\\.',
  'Fluid',
]);

/** Narrower patterns for names that phones and browsers have too: ViewSonic, the browser of Sogou. */
export const OTHER_PATTERNS: ReadonlyMap<string, string> = new Map([
  ['Sonic', 'RankSonic|compatible; Sonic'],
  ['Sogou', 'Sogou [A-Za-z ]*[Ss]pider|Sogou-Test-Spider|New-Sogou-Spider'],
]);
