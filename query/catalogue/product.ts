import { PRODUCT_FIELDS, type CatalogueFault, type FieldKind, type ProductField } from '../../schemas/catalogue.ts';
import { plainDecimal, roundedDecimal } from '../../schemas/normalise/number.ts';

/** A good line: values by column, and the columns that it gives. */
export interface ProductLine {
  line: number;
  productId: string;
  given: string[];
  values: Record<string, unknown>;
}

const MOST_ID = 200;
const MOST_LEVELS = 10;
const MOST_LEVEL = 200;
const MOST_PROPERTIES = 16_384;
const LARGEST = 100_000_000_000;
const DECIMALS = 4;

/** Field names without case, blanks, underscores and hyphens: `product_id` is productId. */
const FIELDS = new Map(Object.keys(PRODUCT_FIELDS).map((name) => [folded(name), name as ProductField]));

/** The field that a column of a file is, by its name; undefined for any other. */
export function fieldNamed(column: string): ProductField | undefined {
  return FIELDS.get(folded(column));
}

function folded(name: string): string {
  return name.toLowerCase().replaceAll(/[\s_-]/g, '');
}

/** A reason to refuse a value. */
class Refusal extends Error {}

/**
 * Reads the fields of one line. Null and empty texts clear a field.
 * @returns the product, or why it is not taken
 */
export function readProduct(line: number, fields: Readonly<Record<string, unknown>>): ProductLine | CatalogueFault {
  const values: Record<string, unknown> = {};
  const given: string[] = [];
  let productId: string | undefined;
  for (const [name, value] of Object.entries(fields)) {
    if (!Object.hasOwn(PRODUCT_FIELDS, name))
      return { line, code: 'field_unknown', field: name, message: `${shown(name)} is no field of a product` };
    const field: { column: string; kind: FieldKind; most?: number } = PRODUCT_FIELDS[name as ProductField];
    const { column, kind, most = MOST_ID } = field;
    const absent = value === null || value === undefined || (typeof value === 'string' && value.trim() === '');
    try {
      values[column] = absent ? null : READ[kind](value, most);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { line, code: 'field_invalid', field: name, message: `${name} ${error.message}` };
    }
    if (kind === 'id') productId = (values[column] as string | null) ?? undefined;
    given.push(column);
  }
  if (productId === undefined) return { line, code: 'product_id_missing', message: 'productId is missing' };
  return { line, productId, given, values };
}

/** The product that a bad line is of; undefined if it names none. */
export function productIdOf({ productId }: Readonly<Record<string, unknown>>): string | undefined {
  try {
    return (READ.id(productId, MOST_ID) as string) || undefined;
  } catch {
    return undefined;
  }
}

const READ: Record<FieldKind, (value: unknown, most: number) => unknown> = {
  id: (value) => textOf(typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value, MOST_ID),
  text: (value, most) => textOf(value, most),
  path: (value) => {
    const levels = typeof value === 'string' ? value.split('>') : value;
    if (!Array.isArray(levels)) throw new Refusal('must be a list of texts, or one text such as "Shoes > Boots"');
    const names = levels.map((level) => textOf(level, MOST_LEVEL)).filter((level) => level !== '');
    if (names.length > MOST_LEVELS) throw new Refusal(`must have at most ${MOST_LEVELS} levels`);
    return names.length === 0 ? null : names;
  },
  money: (value) => decimalOf(value, 0),
  quantity: (value) => decimalOf(value, -LARGEST),
  currency: (value) => {
    const code = textOf(value, 3).toUpperCase();
    if (!/^[A-Z]{3}$/.test(code)) throw new Refusal('must be a currency of ISO 4217, such as DKK');
    return code;
  },
  object: (value) => {
    const object = typeof value === 'string' ? parsed(value) : value;
    if (typeof object !== 'object' || object === null || Array.isArray(object))
      throw new Refusal('must be a JSON object');
    const text = JSON.stringify(object);
    if (Buffer.byteLength(text) > MOST_PROPERTIES) throw new Refusal(`must have at most ${MOST_PROPERTIES} bytes`);
    return text;
  },
  flag: (value) => {
    const flag =
      typeof value === 'string' ? { true: true, false: false, 1: true, 0: false }[value.toLowerCase()] : value;
    if (typeof flag !== 'boolean') throw new Refusal('must be true or false');
    return flag;
  },
};

function textOf(value: unknown, most: number): string {
  if (typeof value !== 'string') throw new Refusal('must be a text');
  const text = value.trim();
  if (text.length > most) throw new Refusal(`must have at most ${most} characters`);
  if (!text.isWellFormed() || text.includes('\0')) throw new Refusal('has characters that cannot be stored');
  return text;
}

/** Text of a decimal, because a double would change some. */
function decimalOf(value: unknown, least: number): string {
  const number = typeof value === 'string' ? plainDecimal(value) : value;
  if (typeof number !== 'number' || !Number.isFinite(number))
    throw new Refusal('must be a number such as 499.50, with a point and no other sign');
  if (number < least || number > LARGEST) throw new Refusal(`must be between ${least} and ${LARGEST}`);
  return roundedDecimal(number, DECIMALS).toFixed(DECIMALS);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 80).toWellFormed());
}
