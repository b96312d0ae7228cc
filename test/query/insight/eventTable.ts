import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { mkdtemp, rm } from 'node:fs/promises';
import { createWriteStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { BATCH_COLUMNS, eventColumns, lineFields, QUARANTINE_COLUMNS } from '../../../schemas/columns.ts';
import { duckdbType, type StructField } from '../../../schemas/columnType.ts';
import { literal } from '../../../lake/duckdb/sqlText.ts';
import { catalogueRows } from '../../../query/engine/catalogueFiles.ts';
import { createRegistry } from '../../../schemas/registry.ts';

/** An accepted event as it would lie in the stream, with what the server adds. */
export interface StoredEvent {
  /** The event as it was sent. */
  json: string;
  segmentId: string;
  tenantId?: string;
  receivedAt?: string;
  keyId?: string;
  keyKind?: 'browser' | 'server';
  userAgent?: string;
}

/** A DuckDB of its own in memory; one thread, so that times mean something on a shared machine. */
export async function openDuckDb(): Promise<{ connection: DuckDBConnection; close: () => void }> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  return {
    connection,
    close: () => {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

/**
 * Makes the lake's raw relations `events_all` and `quarantine_all` (empty) from events, through the columns' own SQL
 * (schemas/columns.ts), as the processor does.
 */
export async function createEventTable(connection: DuckDBConnection, events: Iterable<StoredEvent>): Promise<void> {
  const registry = createRegistry();
  const dir = await mkdtemp(join(tmpdir(), 'spor-insight-'));
  try {
    const batches: string[] = [];
    const known = new Map<string, number>();
    const lines = function* (): Generator<string> {
      let index = 0;
      for (const event of events) {
        const batch = JSON.stringify(batchOf(event));
        let b = known.get(batch);
        if (b === undefined) {
          b = batches.length;
          known.set(batch, b);
          batches.push(`{"b":${b},${batch.slice(1)}\n`);
        }
        // Where no moment of receipt is given, an event is received when it happens: its time goes on its own line.
        yield `{"b":${b},"i":${index++},"v":1,${event.json.slice(1)}\n`;
      }
    };
    const linesFile = join(dir, 'lines.ndjson');
    const batchFile = join(dir, 'batches.ndjson');
    await pipeline(Readable.from(chunked(lines())), createWriteStream(linesFile));
    await pipeline(Readable.from(chunked(batches)), createWriteStream(batchFile));
    await connection.run("SET TimeZone = 'UTC'");
    const columns = eventColumns(registry);
    await connection.run(`
      CREATE OR REPLACE TABLE events_all AS
      WITH line AS (${readNdjson(linesFile, lineFields(registry))}),
      batch AS (${readNdjson(batchFile, BATCH_COLUMNS)}),
      stored AS (SELECT ${columns.map(({ name, sql }) => `${sql} AS "${name}"`).join(', ')} FROM line JOIN batch USING (b))
      SELECT * REPLACE (coalesce(received_at, event_time) AS received_at),
        segment_id AS segment, (event_time AT TIME ZONE 'UTC')::DATE AS date
      FROM stored`);
    const refused = [
      ...QUARANTINE_COLUMNS.map(({ name, type }) => `"${name}" ${duckdbType(type)}`),
      'segment VARCHAR',
      'date DATE',
    ];
    await connection.run(`CREATE OR REPLACE TABLE quarantine_all (${refused.join(', ')})`);
    await connection.run(`CREATE OR REPLACE TABLE catalogue_all AS ${catalogueRows([])}`);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function batchOf(event: StoredEvent): Record<string, unknown> {
  return {
    tenant_id: event.tenantId ?? 'demo-shop',
    segment_id: event.segmentId,
    receipt_id: 'r',
    received_at: event.receivedAt ?? null,
    sent_at: null,
    skew_ms: 0,
    key_id: event.keyId ?? 'browser',
    key_kind: event.keyKind ?? null,
    user_agent: event.userAgent ?? null,
  };
}

function readNdjson(path: string, fields: readonly StructField[]): string {
  const columns = fields.map(({ name, type }) => `${literal(name)}: ${literal(duckdbType(type))}`).join(', ');
  return `SELECT * FROM read_json('${path}', format = 'newline_delimited', columns = {${columns}})`;
}

function* chunked(lines: Iterable<string>): Generator<string> {
  let chunk = '';
  for (const line of lines) {
    chunk += line;
    if (chunk.length < 1 << 16) continue;
    yield chunk;
    chunk = '';
  }
  if (chunk) yield chunk;
}
