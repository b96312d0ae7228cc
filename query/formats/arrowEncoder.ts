import type { DuckDBType, DuckDBValue } from '@duckdb/node-api';
import { columnFromValues, Endianness, field, Table, tableToIPC, Version, type Schema } from '@uwdata/flechette';
import { arrowColumn, orNull } from './arrowColumn.ts';
import type { Encoder } from './formats.ts';

/** The mark that ends a stream: a continuation, and a message of length 0. */
const END_BYTES = 8;

/**
 * An Arrow IPC stream: the schema, a record batch for each piece of rows, uncompressed, and the mark of the end. Rows that do not
 * fit at once go by halves, so that none is left out that would have fit.
 */
export function createArrowEncoder(names: readonly string[], types: readonly DuckDBType[]): Encoder {
  const columns = types.map(arrowColumn);
  const schema: Schema = {
    version: Version.V5,
    endianness: Endianness.Little,
    fields: columns.map(({ type }, index) => field(names[index]!, type)),
    metadata: null,
  };
  // flechette writes whole streams: each has the same schema in front and the same end.
  const stream = (rows: readonly DuckDBValue[][]): Uint8Array => {
    const built = columns.map((column, index) =>
      columnFromValues(
        rows.map((row) => orNull(column, row[index])),
        column.stored,
      ),
    );
    return tableToIPC(new Table(schema, built), { format: 'stream' })!;
  };
  const empty = stream([]);
  const head = empty.subarray(0, -END_BYTES);

  const encode = (rows: readonly DuckDBValue[][], room: number): { pieces: Uint8Array[]; taken: number } => {
    const batch = stream(rows).subarray(head.length, -END_BYTES);
    if (batch.length <= room) return { pieces: [batch], taken: rows.length };
    if (rows.length <= 1) return { pieces: [], taken: 0 };
    const middle = rows.length >> 1;
    const first = encode(rows.slice(0, middle), room);
    if (first.taken < middle) return first;
    const used = first.pieces.reduce((sum, { length }) => sum + length, 0);
    const second = encode(rows.slice(middle), room - used);
    return { pieces: [...first.pieces, ...second.pieces], taken: middle + second.taken };
  };
  return {
    head,
    rows: (rows, room) => {
      if (rows.length === 0) return { data: '', taken: 0 };
      const { pieces, taken } = encode(rows, room);
      return { data: Buffer.concat(pieces), taken };
    },
    tail: empty.subarray(-END_BYTES),
  };
}
