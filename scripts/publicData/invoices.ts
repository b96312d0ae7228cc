import { randomUUID } from 'node:crypto';

/** Orders and refunds of a file of invoices. */
export interface Invoices {
  events: Record<string, unknown>[];
  /** Sum of all lines in ten-thousandths, returns taken off, from the text of the file. */
  netUnits: bigint;
}

interface Line {
  invoice: string;
  product: string;
  name: string;
  quantity: string;
  at: string;
  price: string;
  customer: string;
}

const COLUMNS = [
  'InvoiceNo',
  'StockCode',
  'Description',
  'Quantity',
  'InvoiceDate',
  'UnitPrice',
  'CustomerID',
] as const;
/** A return is an invoice of its own, and names no order. */
const RETURN = /^C/;

/**
 * Turn the lines of "Online Retail" (UCI, CC BY 4.0) into one event for each invoice. Pure.
 *
 * Values stay as the file has them: customers such as `17850.0`, empty names, totals as plain sums of doubles.
 * @param text CSV with a header
 * @throws Error if a column is absent
 */
export function readInvoices(text: string): Invoices {
  const lines = readLines(text);
  const events = [...Map.groupBy(lines, ({ invoice }) => invoice)].map(([invoice, own]) =>
    RETURN.test(invoice) ? refund(invoice, own) : order(invoice, own),
  );
  const netUnits = lines.reduce((sum, { quantity, price }) => sum + decimal(quantity) * decimal(price), 0n);
  return { events, netUnits: netUnits / UNIT };
}

function order(invoice: string, lines: readonly Line[]): Record<string, unknown> {
  return {
    ...common(lines[0]!),
    type: 'OrderCreated',
    orderId: invoice,
    total: lines.reduce((sum, { quantity, price }) => sum + Number(quantity) * Number(price), 0),
    lines: lines.map(({ product, name, quantity, price }) => ({
      productId: product,
      name,
      quantity: Number(quantity),
      unitPrice: Number(price),
    })),
  };
}

function refund(invoice: string, lines: readonly Line[]): Record<string, unknown> {
  const amount = (line: Line): number => -Number(line.quantity) * Number(line.price);
  return {
    ...common(lines[0]!),
    type: 'OrderRefunded',
    orderId: invoice,
    refundId: invoice,
    amount: lines.reduce((sum, line) => sum + amount(line), 0),
    lines: lines.map((line) => ({
      productId: line.product,
      name: line.name,
      quantity: -Number(line.quantity),
      amount: amount(line),
    })),
  };
}

function common({ at, customer, invoice }: Line): Record<string, unknown> {
  return {
    eventId: randomUUID(),
    timestamp: `${at.replace(' ', 'T')}Z`,
    sessionId: invoice,
    userId: customer,
    currency: 'gbp',
  };
}

const PLACES = 4;
const UNIT = 10n ** BigInt(PLACES);

/** A decimal text in ten-thousandths. @throws Error if it has more places, or is no decimal */
function decimal(text: string): bigint {
  const match = /^(-?)(\d+)(?:\.(\d+?)0*)?$/.exec(text);
  const places = match?.[3] ?? '';
  if (!match || places.length > PLACES) throw new Error(`${JSON.stringify(text)} is no decimal with ${PLACES} places`);
  const units = BigInt(match[2]! + places.padEnd(PLACES, '0'));
  return match[1] === '-' ? -units : units;
}

function readLines(text: string): Line[] {
  const [header = [], ...rows] = readCsv(text);
  const [invoice, product, name, quantity, at, price, customer] = COLUMNS.map((column) => {
    const index = header.indexOf(column);
    if (index < 0) throw new Error(`the file has no column ${column}`);
    return (row: readonly string[]) => row[index] ?? '';
  }) as ((row: readonly string[]) => string)[];
  return rows.map((row) => ({
    invoice: invoice!(row),
    product: product!(row),
    name: name!(row),
    quantity: quantity!(row),
    at: at!(row),
    price: price!(row),
    customer: customer!(row),
  }));
}

/** Rows of a CSV text, whose quoted fields have no line breaks. */
function readCsv(text: string): string[][] {
  const lines = text.split(/\r?\n/).filter((line) => line !== '');
  return lines.map((line) =>
    [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
      ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
    ),
  );
}
