import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '../../stream/nats.ts';
import { parseMessage } from '../../stream/message.ts';
import { MessageReader } from '../../stream/reader.ts';
import { parquetCopyOptions } from '../../lake/duckdb/parquet.ts';
import { identifier, literal } from '../../lake/duckdb/sqlText.ts';
import { BATCH_COLUMNS, eventColumns, lineFields } from '../../schemas/columns.ts';
import { duckdbType } from '../../schemas/columnType.ts';
import { formatReceipt } from '../../schemas/receipt.ts';
import type { Registry } from '../../schemas/registry.ts';
import { SILENT } from './services.ts';

const READ_AHEAD_BYTES = 64 * 1_048_576;
const CHUNK_BYTES = 1_048_576;

/**
 * Writes a stream's events into one file of newline-delimited JSON.
 *
 * A user of DuckDB alone would load such a file.
 * @returns the number of events
 */
export async function writeFlatFile(
  connection: NatsConnection,
  { stream, shard, shards, lastSequence, file }: FlatFileOptions,
): Promise<number> {
  const manager = await jetstreamManager(connection);
  const reader = new MessageReader({ connection, manager, stream, from: 1, maxBytes: READ_AHEAD_BYTES, log: SILENT });
  const out = createWriteStream(file, { highWaterMark: CHUNK_BYTES });
  let events = 0;
  try {
    for (let sequence = 0; sequence < lastSequence;) {
      await reader.arrived();
      for (let message = reader.shift(); message; message = reader.shift()) {
        sequence = message.sequence;
        const { source, batches, linesFrom } = parseMessage(message, { shard, shards });
        const starts = batches.map((batch, index) => {
          const facts = {
            tenant_id: source.tenantId,
            segment_id: source.segmentId,
            receipt_id: formatReceipt({ epoch: 0, shard, sequence, batch: index }),
            received_at: batch.receivedAt,
            sent_at: batch.sentAt,
            skew_ms: batch.skewMs,
            key_id: batch.keyId,
            key_kind: batch.keyKind,
            user_agent: batch.userAgent,
          };
          return JSON.stringify(facts).slice(0, -1);
        });
        const lines = Buffer.from(message.data).toString('utf8', linesFrom).split('\n');
        const flat = lines.filter(Boolean).map((line) => {
          const comma = line.indexOf(',');
          return `${starts[Number(line.slice('{"b":'.length, comma))]}${line.slice(comma)}\n`;
        });
        events += flat.length;
        if (!out.write(flat.join(''))) await new Promise<void>((resolve) => out.once('drain', resolve));
      }
    }
  } finally {
    reader.close();
    out.end();
    await finished(out);
  }
  return events;
}

interface FlatFileOptions {
  stream: string;
  shard: number;
  shards: number;
  lastSequence: number;
  file: string;
}

/** SQL of DuckDB alone from such a file to the lake's form. */
export function copyFlatFile(registry: Registry, file: string, target: string): string {
  const fields = [...lineFields(registry), ...BATCH_COLUMNS].filter(({ name }) => name !== 'b');
  const types = fields.map(({ name, type }) => `${literal(name)}: ${literal(duckdbType(type))}`).join(', ');
  const columns = eventColumns(registry).map(
    ({ name, sql }) => `${sql.replaceAll(/\bbatch\./g, 'line.')} AS ${identifier(name)}`,
  );
  return `COPY (
    SELECT ${columns.join(', ')} FROM read_json(${literal(file)}, format = 'newline_delimited', columns = {${types}}) line
    ORDER BY tenant_id, segment_id, type, event_time) TO ${literal(target)} (${parquetCopyOptions()})`;
}
