/** Fields of a product in a catalogue, as files and requests name them, with the column each becomes. */
export const PRODUCT_FIELDS = {
  productId: { column: 'product_id', kind: 'id', help: 'Id of the product, as events have it. Required.' },
  name: { column: 'name', kind: 'text', most: 1_000, help: 'Name for people.' },
  url: { column: 'url', kind: 'text', most: 2_048, help: 'Page of the product.' },
  imageUrl: { column: 'image_url', kind: 'text', most: 2_048, help: 'Picture of the product.' },
  category: {
    column: 'category',
    kind: 'path',
    help: 'Path from the top, such as ["Shoes", "Boots"] or "Shoes > Boots"; at most 10 levels.',
  },
  brand: { column: 'brand', kind: 'text', most: 200, help: 'Brand.' },
  price: { column: 'price', kind: 'money', help: 'Price now, at most four decimals.' },
  currency: { column: 'currency', kind: 'currency', help: 'Currency of price and cost, ISO 4217.' },
  cost: { column: 'cost', kind: 'money', help: 'What one piece costs the shop, without tax.' },
  stock: { column: 'stock', kind: 'quantity', help: 'Pieces that can be sold; 0 or less is sold out.' },
  properties: { column: 'properties', kind: 'object', help: 'Anything else, a JSON object of at most 16 KiB.' },
  removed: { column: 'removed', kind: 'flag', help: 'true: the product is no longer in the catalogue.' },
} as const satisfies Record<string, { column: string; kind: FieldKind; most?: number; help: string }>;

export type FieldKind = 'id' | 'text' | 'path' | 'money' | 'currency' | 'quantity' | 'object' | 'flag';
export type ProductField = keyof typeof PRODUCT_FIELDS;

/** Why a line of a catalogue is not taken. */
export const CATALOGUE_FAULTS = {
  line_malformed: 'The line is no JSON object, or has another number of cells than the head of the file.',
  product_id_missing: 'The line has no productId.',
  product_id_twice: 'The productId stands on an earlier line too. A product has one line.',
  field_invalid: 'A field has the wrong type or size; the message names it.',
  field_unknown: 'The line has a field that no product has. Put it into properties.',
} as const;

export type CatalogueFaultCode = keyof typeof CATALOGUE_FAULTS;

/** A line that is not taken, with its number from 1. */
export interface CatalogueFault {
  line: number;
  code: CatalogueFaultCode;
  message: string;
  /** The field at fault. */
  field?: string;
}

/** Result of an import. */
export interface CatalogueReport {
  tenantId: string;
  segmentId: string;
  /** `part` changes the products it lists; `whole` also removes all others. */
  mode: 'part' | 'whole';
  dryRun: boolean;
  /** Lines read. */
  lines: number;
  added: number;
  changed: number;
  removed: number;
  unchanged: number;
  /** Number of lines that were not taken, and the first of them. */
  bad: number;
  faults: CatalogueFault[];
  /** Time from which the new versions are valid, ISO 8601; absent: nothing was stored. */
  validFrom?: string;
  /** Version of the catalogue's table; absent: nothing was stored. */
  version?: number;
}
