import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { QUARANTINE_COLUMNS } from '../../schemas/columns.ts';
import { duckdbType } from '../../schemas/columnType.ts';
import { createRegistry, type Registry } from '../../schemas/registry.ts';
import { readConfig } from '../../runtime/config.ts';
import { LAKE_SETTINGS } from '../../lake/config.ts';
import { QUERY_SETTINGS } from '../../query/config.ts';
import { catalogueRows } from '../../query/engine/catalogueFiles.ts';
import { reportQuery } from '../../query/engine/reportQuery.ts';
import { bindReport, runReport, type ReportRequest } from '../../query/insight/reportRun.ts';
import { listReports } from '../../query/insight/reports.ts';
import { insightMacros } from '../../query/insight/views.ts';
import { LakeError } from '../../lake/errors.ts';
import { openLakeQueries } from '../../query/engine/open.ts';
import type { Queries } from '../../query/engine/query.ts';
import { connectUtc, openDuckdbInstance } from '../../lake/duckdb/instance.ts';
import { identifier, literal } from '../../lake/duckdb/sqlText.ts';
import { openBigLake, type BigLake } from './bigLake.ts';
import { lakeContents } from './lakeContents.ts';
import { round, spread, type Result } from './report.ts';
import type { BenchOptions } from './services.ts';

const EVENTS = 100_000_000;
const QUICK_EVENTS = 5_000;
const THREADS = 2;
const MEMORY_MB = 8_192;
const TIMEOUT_MS = 900_000;
const MOST_TIMES = 1.3;
const MOST_SHARE = 0.02;
/** Reports in the quick version. */
const QUICK_REPORTS = 1;

/** Reports over a large lake, against plain DuckDB over one file. */
export async function benchQuery(options: BenchOptions): Promise<Result[]> {
  const registry = createRegistry();
  const events = options.events ?? (options.quick ? QUICK_EVENTS : EVENTS);
  const folder = options.quick ? join(options.dir, 'big') : join(options.keep, `query-${events}`);
  const big = await openBigLake(folder, { events, registry, log: options.log });
  const config = readConfig(
    { ...LAKE_SETTINGS, ...QUERY_SETTINGS },
    {
      LAKE_URL: `file:${big.lake}`,
      WORK_DIR: join(options.dir, 'work'),
      LAKE_QUERY_MEMORY_MB: String(MEMORY_MB),
      LAKE_QUERY_THREADS: String(THREADS),
      LAKE_QUERY_TIMEOUT_MS: String(TIMEOUT_MS),
      LAKE_QUERY_MAX_ROWS: '1000000',
      LAKE_QUERY_MAX_BYTES: String(256 * 2 ** 20),
    },
  );
  const { queries } = await openLakeQueries(config, registry);
  const plain = await openPlain(big);
  try {
    return [await reports(options, { big, queries, plain: plain.connection, registry }), await oneDay(big, queries)];
  } finally {
    plain.close();
    await queries.close();
  }
}

interface Sides {
  big: BigLake;
  queries: Queries;
  plain: DuckDBConnection;
  registry: Registry;
}

async function reports({ rounds, quick, log }: BenchOptions, sides: Sides): Promise<Result> {
  const { big, registry } = sides;
  const [tenantId = ''] = big.tenants;
  const seconds: { name: string; lake: number; plain: number }[] = [];
  const tooLarge: string[] = [];
  for (const { name } of listReports().slice(0, quick ? QUICK_REPORTS : undefined)) {
    const request: ReportRequest = { name, from: big.from, to: big.to };
    const times = { lake: [] as number[], plain: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      const lake = await timed(() =>
        fitting(sides.queries.run(reportQuery(request, { tenantId, segmentIds: [] }, registry))),
      );
      if (!lake.value) break;
      const plain = await timed(async () => (await runReport(sides.plain, bindReport(request, registry))).getRows());
      if (lake.value.rows.length !== plain.value.length)
        throw new Error(`${name}: ${lake.value.rows.length} rows from the lake, ${plain.value.length} from the file`);
      times.lake.push(lake.seconds);
      times.plain.push(plain.seconds);
    }
    if (times.lake.length === 0) {
      log(`${name}: does not fit into ${MEMORY_MB} MB`);
      tooLarge.push(name);
      continue;
    }
    const pair = { name, lake: spread(times.lake).median, plain: spread(times.plain).median };
    log(`${name}: ${pair.lake.toFixed(2)} s against ${pair.plain.toFixed(2)} s`);
    seconds.push(pair);
  }
  const sum = (of: 'lake' | 'plain'): number => seconds.reduce((total, pair) => total + pair[of], 0);
  const worst = seconds.reduce((a, b) => (a.lake / a.plain > b.lake / b.plain ? a : b));
  const rows = await countRows(sides.plain);
  return {
    name: 'reports of a month, against plain DuckDB over one sorted Parquet',
    value: sum('plain') / sum('lake'),
    reach: Number((1 / MOST_TIMES).toFixed(3)),
    unit: '×',
    detail:
      `${seconds.length} reports over the ${round(rows)} events of one of ${big.tenants.length} tenants: ${sum('lake').toFixed(1)} s against ${sum('plain').toFixed(1)} s; ` +
      `the furthest apart is ${worst.name}, ${worst.lake.toFixed(2)} s against ${worst.plain.toFixed(2)} s${tooLarge.length > 0 ? `; do not fit into ${MEMORY_MB} MB: ${tooLarge.join(', ')}` : ''}`,
  };
}

/** The answer; undefined if it exceeds the memory of a query. */
async function fitting<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof LakeError && error.code === 'query_out_of_memory') return undefined;
    throw error;
  }
}

/** Bytes read for a question about one day of one tenant. */
async function oneDay(big: BigLake, queries: Queries): Promise<Result> {
  const sql = `SELECT type, count(*) AS events, count(DISTINCT session_id) AS sessions FROM events WHERE date = DATE '2026-10-15' GROUP BY type ORDER BY type`;
  const ask = () => queries.run({ tenantId: big.tenants.at(-1)!, segmentIds: [], sql });
  await ask(); // the code itself is read from disk once
  const before = bytesRead();
  const { value, seconds } = await timed(ask);
  const read = bytesRead() - before;
  if (value.rows.length === 0) throw new Error('the day has no events');
  const contents = await lakeContents(big.lake, { ids: false });
  const share = read / contents.bytes;
  return {
    name: 'bytes read for a question about one day of one tenant',
    value: MOST_SHARE / share,
    reach: 1,
    unit: `(${MOST_SHARE * 100} % / measured)`,
    detail: `${(read / 2 ** 20).toFixed(2)} of ${round(contents.bytes / 2 ** 20)} MiB (${(share * 100).toPrecision(2)} %) of ${round(contents.rows)} events, in ${Math.round(seconds * 1000)} ms`,
  };
}

/** The same relations over one file, with equal memory and threads. */
async function openPlain({ plain }: BigLake): Promise<{ connection: DuckDBConnection; close(): void }> {
  const instance = await openDuckdbInstance({ memory: `${MEMORY_MB}MiB`, threads: THREADS, spillDir: '' });
  const connection = await connectUtc(instance);
  await connection.run(`CREATE VIEW events_all AS SELECT * FROM read_parquet(${literal(plain)})`);
  const columns = QUARANTINE_COLUMNS.map(({ name, type }) => `${identifier(name)} ${duckdbType(type)}`);
  await connection.run(`CREATE TABLE quarantine_all (${columns.join(', ')}, segment VARCHAR, date DATE)`);
  await connection.run(`CREATE VIEW catalogue_all AS ${catalogueRows([])}`);
  for (const { sql } of insightMacros()) await connection.run(sql);
  return {
    connection,
    close: () => {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

async function countRows(plain: DuckDBConnection): Promise<number> {
  const [row] = (await (await plain.run('SELECT count(*) FROM events_all')).getRowsJson()) as unknown[][];
  return Number(row?.[0]);
}

async function timed<T>(task: () => Promise<T>): Promise<{ value: T; seconds: number }> {
  const startedMs = performance.now();
  const value = await task();
  return { value, seconds: (performance.now() - startedMs) / 1000 };
}

/** Bytes that this process has read from files (proc(5), rchar). */
function bytesRead(): number {
  return Number(/^rchar: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
}
