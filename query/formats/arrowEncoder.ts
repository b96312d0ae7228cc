import type { DuckDBType, DuckDBValue } from '@duckdb/node-api';
import { columnFromValues, Endianness, field, Table, tableToIPC, Version, type Schema } from '@uwdata/flechette';
import { arrowColumn, orNull } from './arrowColumn.ts';
import type { Encoder } from './formats.ts';

/** End mark of a stream: a continuation and an empty message. */
const END_BYTES = 8;

/**
 * Creates an encoder of an uncompressed Arrow IPC stream.
 *
 * The stream has the schema, one record batch per piece of rows, and the end mark. If rows do not fit, their halves are
 * tried, so that every row that fits is included.
 */
export function createArrowEncoder(names: readonly string[], types: readonly DuckDBType[]): Encoder {
  const columns = types.map(arrowColumn);
  const schema: Schema = {
    version: Version.V5,
    endianness: Endianness.Little,
    fields: columns.map(({ type }, index) => field(names[index]!, type)),
    metadata: null,
  };
  // flechette writes whole streams, each with the same schema first and the same end.
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
