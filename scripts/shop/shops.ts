import type { Assortment } from './catalogue.ts';

/** One simulated webshop: a tenant with one or more segments. */
export interface Shop {
  tenantId: string;
  /** Segment ids with their shares of the visits; the shares sum to 1. */
  segments: readonly { segmentId: string; share: number }[];
  origin: string;
  locale: string;
  currency: string;
  /** Share of the events of all shops. */
  share: number;
  /** Shipping in whole currency units; free above `freeFrom`. */
  shipping: { price: number; freeFrom: number };
  assortment: Assortment;
}

/** Sports and outdoor, Denmark: the larger shop, with web and app. */
const DEMO_SHOP: Shop = {
  tenantId: 'demo-shop',
  segments: [
    { segmentId: 'web', share: 0.75 },
    { segmentId: 'app', share: 0.25 },
  ],
  origin: 'https://demo-shop.example',
  locale: 'da-DK',
  currency: 'DKK',
  share: 0.65,
  shipping: { price: 39, freeFrom: 499 },
  assortment: {
    brands: ['Fjord', 'Havn', 'Lynge', 'Nordvind', 'Strand'],
    colours: ['black', 'blue', 'red', 'green'],
    categories: {
      shoes: { nouns: ['running shoes', 'hiking boots', 'sandals'], price: [299, 1_499] },
      clothing: { nouns: ['rain jacket', 'wool sweater', 'tights', 'base layer'], price: [149, 1_999] },
      bags: { nouns: ['backpack', 'bike bag'], price: [199, 1_299] },
      camping: { nouns: ['tent', 'sleeping bag', 'headlamp', 'camping stove'], price: [129, 2_999] },
    },
    missing: ['gift card', 'runing shoes', 'ski rental'],
  },
};

/** Furniture and lighting, Sweden. */
const NORDIC_OUTLET: Shop = {
  tenantId: 'nordic-outlet',
  segments: [{ segmentId: 'web', share: 1 }],
  origin: 'https://nordic-outlet.example',
  locale: 'sv-SE',
  currency: 'SEK',
  share: 0.35,
  shipping: { price: 79, freeFrom: 999 },
  assortment: {
    brands: ['Alm', 'Birk', 'Ekhult', 'Tallmo'],
    colours: ['white', 'oak', 'grey'],
    categories: {
      lighting: { nouns: ['floor lamp', 'pendant lamp', 'desk lamp'], price: [249, 3_499] },
      textiles: { nouns: ['wool blanket', 'cushion', 'rug'], price: [99, 2_499] },
      furniture: { nouns: ['lounge chair', 'side table', 'bookshelf'], price: [499, 6_999] },
    },
    missing: ['spare parts', 'foor lamp'],
  },
};

/** The shops of the demo: two tenants, two currencies, two catalogues. */
export const SHOPS: readonly Shop[] = [DEMO_SHOP, NORDIC_OUTLET];
