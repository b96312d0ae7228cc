import { eventColumns } from '../../schemas/columns.ts';
import { duckdbType } from '../../schemas/columnType.ts';
import type { Registry } from '../../schemas/registry.ts';
import { identifier, literal } from '../../lake/duckdb/sqlText.ts';

/** One day of one segment of a simulated shop. */
export interface ShopDay {
  tenantId: string;
  segmentId: string;
  /** Such as `2026-11-23`. */
  date: string;
  sessions: number;
}

/** Mean events of a session, from the chances below. */
export const EVENTS_PER_SESSION = 3.1;

const VISITORS = 200_000;
const PHRASES = 5_000;
const PRODUCTS = 20_000;

/**
 * SQL that generates a day's events in order, quickly.
 *
 * Each session searches, perhaps twice, clicks up to three results, and may add one to the cart and order it. The same
 * day always gives the same rows.
 */
export function shopDaySql(registry: Registry, { tenantId, segmentId, date, sessions }: ShopDay): string {
  const seed = literal(`${tenantId}/${segmentId}/${date}`);
  const chance = (salt: string, of = 'n'): string =>
    `(hash(${seed}, ${of}, ${literal(salt)}) / 18446744073709551616.0)`;
  const own: Record<string, string> = {
    tenant_id: literal(tenantId),
    segment_id: literal(segmentId),
    type: 'type',
    event_time: 'moment',
    timestamp: 'moment',
    received_at: 'moment + INTERVAL 300 MILLISECOND',
    event_id: `substr(t, 1, 8) || '-' || substr(t, 9, 4) || '-7' || substr(h, 1, 3) || '-8' || substr(h, 4, 3) || '-' || substr(h, 7, 10) || lpad(to_hex(step), 2, '0')`,
    session_id: `'s-' || session`,
    anonymous_id: `'a-' || visitor`,
    user_id: `CASE WHEN visitor % 5 = 0 THEN 'customer-' || visitor END`,
    consent_analytics: 'true',
    consent_personalization: 'visitor % 4 > 0',
    context_url: `'https://' || ${literal(tenantId)} || '.example/' || CASE type WHEN 'Search' THEN 'search' WHEN 'OrderCreated' THEN 'thank-you' ELSE 'products' END`,
    context_locale: `CASE visitor % 3 WHEN 0 THEN 'da-DK' WHEN 1 THEN 'sv-SE' ELSE 'de-DE' END`,
    context_channel: `'web'`,
    search_id: `CASE WHEN type <> 'OrderCreated' THEN search END`,
    phrase: `CASE WHEN type = 'Search' THEN 'phrase ' || phrase END`,
    results_count: `CASE WHEN type = 'Search' THEN phrase % 40 END`,
    result_ids: `CASE WHEN type = 'Search' THEN [product(phrase, r) FOR r IN range(least(phrase % 40, 10))] END`,
    page: `CASE WHEN type = 'Search' THEN 1 END`,
    page_size: `CASE WHEN type = 'Search' THEN 24 END`,
    product_id: `CASE WHEN type IN ('ProductClicked', 'ProductAddedToCart') THEN product END`,
    position: `CASE WHEN type = 'ProductClicked' THEN place END`,
    price: `CASE WHEN type = 'ProductClicked' THEN amount END`,
    unit_price: `CASE WHEN type = 'ProductAddedToCart' THEN amount END`,
    quantity: `CASE WHEN type = 'ProductAddedToCart' THEN 1 END`,
    currency: `CASE WHEN type <> 'Search' THEN 'DKK' END`,
    order_id: `CASE WHEN type = 'OrderCreated' THEN 'o-' || session END`,
    total: `CASE WHEN type = 'OrderCreated' THEN amount + 49 END`,
    shipping: `CASE WHEN type = 'OrderCreated' THEN 49 END`,
    lines: `CASE WHEN type = 'OrderCreated' THEN [{'product_id': product, 'variant_id': NULL, 'quantity': 1, 'unit_price': amount, 'discount': NULL, 'search_id': search}] END`,
    skew_ms: '0',
    receipt_id: `'bench-0-' || session || '-' || step`,
    receipt_index: '0',
    schema_version: '1',
    key_id: `'0123456789abcdef'`,
    user_agent: `'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/13' || visitor % 10 || '.0.0.0 Safari/537.36'`,
  };
  const columns = eventColumns(registry).map(
    ({ name, type }) => `CAST(${own[name] ?? 'NULL'} AS ${duckdbType(type)}) AS ${identifier(name)}`,
  );
  const step = (type: string, number: number, seconds: number, where: string): string =>
    `SELECT *, ${literal(type)} AS type, ${number} AS step, ${seconds} AS later FROM session WHERE ${where}`;
  const product = (rank: string): string => `'SKU-' || (hash(${rank}) % ${PRODUCTS})`;
  return `WITH session AS (
      SELECT n, to_hex(hash(${seed}, n)) AS session, TIMESTAMPTZ '${date} 00:00:00+00' + to_milliseconds((${chance('when')} * 86000000)::BIGINT) AS began,
        (${chance('visitor')} * ${VISITORS})::INTEGER AS visitor, (pow(${chance('phrase')}, 3) * ${PHRASES})::INTEGER AS phrase,
        ${chance('clicks')} AS clicks, ${chance('cart')} AS cart
      FROM range(${sessions}) numbers(n)
    ), steps AS (
      ${[
        step('Search', 0, 0, 'true'),
        step('Search', 1, 15, 'clicks < 0.4'),
        step('ProductClicked', 2, 30, 'phrase % 40 > 0 AND clicks > 0.1'),
        step('ProductClicked', 3, 60, 'phrase % 40 > 1 AND clicks > 0.4'),
        step('ProductClicked', 4, 90, 'phrase % 40 > 2 AND clicks > 0.7'),
        step('ProductAddedToCart', 5, 120, 'phrase % 40 > 0 AND clicks > 0.1 AND cart < 0.12'),
        step('OrderCreated', 6, 240, 'phrase % 40 > 0 AND clicks > 0.1 AND cart < 0.04'),
      ].join('\n      UNION ALL ')}
    ), facts AS (
      SELECT *, began + to_seconds(later) AS moment, 'q-' || session || CASE WHEN clicks < 0.4 AND step > 0 THEN '-1' ELSE '' END AS search,
        1 + greatest(step - 2, 0) % 3 AS place, (99 + hash(phrase) % 900)::DECIMAL(18,4) AS amount
      FROM steps
    ), named AS (
      SELECT *, ${product(`phrase * 40 + CASE WHEN step IN (2, 5, 6) THEN 0 ELSE place END`)} AS product,
        lpad(to_hex(epoch_ms(moment)), 12, '0') AS t, lpad(to_hex(hash(${seed}, n, step, 'id')), 16, '0') AS h
      FROM facts
    )
    SELECT ${columns.join(', ').replaceAll(/product\(phrase, r\)/g, product('phrase * 40 + r'))} FROM named ORDER BY type, event_time`;
}
