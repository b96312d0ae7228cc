import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { copyStats, fileStats } from '../../../lake/delta/stats.ts';
import type { NewFile } from '../../../lake/delta/commits.ts';
import { deltaTable, type Table } from '../../../lake/delta/table.ts';
import { openDuckdb } from '../../../lake/duckdb/duckdb.ts';
import { listMarts, martSpec } from '../../../query/marts/mart.ts';
import { refreshMarts, type MartReport } from '../../../query/marts/refresh.ts';
import { readMarts } from '../../../query/marts/sources.ts';
import { parquetCopyOptions } from '../../../lake/duckdb/parquet.ts';
import { lakeFolderFiles } from '../../../lake/files/localFiles.ts';
import type { Storage } from '../../../lake/storage/storage.ts';
import { newFilePath, tableSpec } from '../../../lake/layout/tables.ts';
import { createLog } from '../../../runtime/log.ts';
import { createEventTable, openDuckDb, type StoredEvent } from '../insight/eventTable.ts';
import type { Row } from '../insight/rows.ts';
import { REGISTRY } from '../../support/lakeFixture.ts';

export const TENANT = 'demo-shop';

export function eventsTable(storage: Storage): Table {
  return deltaTable(storage, tableSpec('events', TENANT, REGISTRY));
}

/** Writes events as the processor would: a file per segment and date. They are uploaded, and not yet part of the table. */
export async function uploadEvents(storage: Storage, events: readonly StoredEvent[]): Promise<NewFile[]> {
  const dir = await mkdtemp(join(tmpdir(), 'spor-test-marts-'));
  const { connection, close } = await openDuckDb();
  try {
    await createEventTable(connection, events);
    const { columns, root } = tableSpec('events', TENANT, REGISTRY);
    const partitions = await connection.runAndReadAll(
      'SELECT DISTINCT segment, date::VARCHAR FROM events_all ORDER BY ALL',
    );
    const files: NewFile[] = [];
    for (const [segment, date] of partitions.getRows() as [string, string][]) {
      const localFile = join(dir, `${files.length}.parquet`);
      const names = columns.map(({ name }) => `"${name}"`).join(', ');
      const rows = `SELECT ${names} FROM events_all WHERE segment = '${segment}' AND date = '${date}' ORDER BY type, event_time`;
      const copied = await connection.runAndReadAll(
        `COPY (${rows}) TO '${localFile}' (${parquetCopyOptions()}, RETURN_STATS)`,
      );
      const stats = copyStats(copied.getRowObjectsJson()[0]!);
      const partitionValues = { segment, date };
      const path = newFilePath(partitionValues, { stream: 'EVENTS_0', firstSequence: 1, lastSequence: 1 });
      await storage.upload(`${root}/${path}`, localFile);
      const { file_size_bytes: size, count } = stats;
      files.push({ path, size, rows: count, partitionValues, stats: fileStats(stats, columns) });
    }
    return files;
  } finally {
    close();
    await rm(dir, { recursive: true, force: true });
  }
}

export async function commitEvents(storage: Storage, events: readonly StoredEvent[]): Promise<void> {
  const files = await uploadEvents(storage, events);
  const table = eventsTable(storage);
  const expected = (await table.snapshot()).txns.get('EVENTS_0@test');
  const txn = { appId: 'EVENTS_0@test', version: (expected ?? 0) + 1, expected };
  await table.append({ files, txn, info: {} });
}

/** A storage that does something before each upload. */
export function beforeUploads(through: Storage, task: (path: string) => Promise<void>): Storage {
  return {
    url: through.url,
    get: (path) => through.get(path),
    putIfAbsent: (path, body) => through.putIfAbsent(path, body),
    upload: async (path, file) => {
      await task(path);
      await through.upload(path, file);
    },
    download: (path, file) => through.download(path, file),
    list: (prefix, startAfter) => through.list(prefix, startAfter),
    folders: (prefix) => through.folders(prefix),
    delete: (paths) => through.delete(paths),
    has: (path) => through.has(path),
    now: () => through.now(),
    localPath: (path) => through.localPath(path),
    close: () => through.close(),
  };
}

/** One refresh with a DuckDB of its own. */
export async function refresh(storage: Storage, signal?: AbortSignal): Promise<MartReport[]> {
  const workDir = await mkdtemp(join(tmpdir(), 'spor-test-marts-'));
  const engine = openDuckdb({ memory: '1GiB', threads: 1, spillDir: join(workDir, 'spill') });
  const localFiles = lakeFolderFiles(storage);
  const log = createLog('test', 'silent');
  try {
    return await refreshMarts(TENANT, { storage, registry: REGISTRY, localFiles, engine, workDir, log }, signal);
  } finally {
    await engine.close();
    await rm(workDir, { recursive: true, force: true });
  }
}

/** All rows of every mart, in an order of their own, doubles to 12 digits. */
export async function martRows(storage: Storage): Promise<Record<string, Row[]>> {
  const engine = openDuckdb({ memory: '1GiB', threads: 1, spillDir: '' });
  const session = engine.session();
  try {
    const marts = listMarts(REGISTRY);
    const read = await Promise.all(
      marts.map(async ({ name }, index) => {
        const table = deltaTable(storage, martSpec(marts[index]!, TENANT));
        return { name, table, snapshot: await table.snapshot() };
      }),
    );
    await readMarts(lakeFolderFiles(storage), read, async (from) => {
      for (const view of from) await session.run(view.replace('CREATE VIEW', 'CREATE TEMP TABLE'));
    });
    const rows: Record<string, Row[]> = {};
    for (const { name } of marts) {
      rows[name] = (await session.run(`SELECT * FROM "${name}" ORDER BY ALL`)).map(rounded);
    }
    return rows;
  } finally {
    await session.close();
    await engine.close();
  }
}

function rounded(row: Record<string, unknown>): Row {
  const cells = Object.entries(row).map(([name, value]) => [
    name,
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(10)) : value,
  ]);
  return Object.fromEntries(cells) as Row;
}
