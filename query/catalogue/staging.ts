import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { CatalogueFault } from '../../schemas/catalogue.ts';
import type { CatalogueLine } from './fileLines.ts';
import { productIdOf, readProduct } from './product.ts';

/** Faults that a report names; the others are only counted. */
const MOST_FAULTS = 100;

/** Good lines in a file of NDJSON, and what was wrong with the others. */
export interface Staged {
  file: string;
  lines: number;
  good: number;
  bad: number;
  faults: CatalogueFault[];
  /** Whether a bad line names no product, so that any product may be the one meant. */
  nameless: boolean;
}

/**
 * Checks every line, and writes the good ones for DuckDB.
 *
 * The product of a bad line is written with `kept`: a whole catalogue does not remove what it lists badly.
 */
export async function stageLines(lines: AsyncIterable<CatalogueLine>, file: string): Promise<Staged> {
  const staged: Staged = { file, lines: 0, good: 0, bad: 0, faults: [], nameless: false };
  const seen = new Map<string, number>();
  const out = createWriteStream(file, { flags: 'wx' });
  const write = async (row: unknown): Promise<void> => {
    if (!out.write(`${JSON.stringify(row)}\n`)) await once(out, 'drain');
  };
  const refuse = async (fault: CatalogueFault, fields: CatalogueLine['fields']): Promise<void> => {
    staged.bad++;
    if (staged.faults.length < MOST_FAULTS) staged.faults.push(fault);
    const product = fields && productIdOf(fields);
    if (product === undefined) staged.nameless = true;
    else await write({ product_id: product, kept: true });
  };
  try {
    for await (const { line, fields } of lines) {
      staged.lines++;
      if (!fields) {
        await refuse({ line, code: 'line_malformed', message: 'the line is no product' }, fields);
        continue;
      }
      const product = readProduct(line, fields);
      if ('code' in product) {
        await refuse(product, fields);
        continue;
      }
      const earlier = seen.get(product.productId);
      if (earlier !== undefined) {
        const message = `productId stands on line ${earlier} too`;
        await refuse({ line, code: 'product_id_twice', field: 'productId', message }, fields);
        continue;
      }
      seen.set(product.productId, line);
      staged.good++;
      await write({ ...product.values, given: product.given });
    }
  } finally {
    out.end();
    await finished(out);
  }
  return staged;
}
