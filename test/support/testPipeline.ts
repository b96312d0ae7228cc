import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DuckDBInstance } from '@duckdb/node-api';
import { jetstream, jetstreamManager, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream';
import { deltaTable, type Table } from '../../lake/delta/table.ts';
import { openLocalStorage } from '../../lake/storage/local.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { tableSpec, type TableName } from '../../lake/layout/tables.ts';
import { createLog } from '../../runtime/log.ts';
import { connectNats, type NatsConnection } from '../../stream/nats.ts';
import { ensureStreams } from '../../stream/streams.ts';
import { createRegistry } from '../../schemas/registry.ts';
import { streamName, streamSubjects } from '../../schemas/subjects.ts';
import { asRole } from './locks.ts';
import { startNats, type TestNats } from './nats.ts';
import { untilStopped } from './stopped.ts';
import { until } from './until.ts';
import { SHARDS, type TestMessage } from './messages.ts';

const MAIN = fileURLToPath(new URL('../../processor/main.ts', import.meta.url));

/** A real processor process. */
export interface TestProcessor {
  port: number;
  child: ChildProcess;
  log: () => string;
  /** Sends a signal; for one that ends the process, resolves with how it ended. */
  kill: (signal: NodeJS.Signals) => Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** A nats-server with the shard streams, an empty lake folder, and processors on demand. */
export interface TestPipeline {
  nats: TestNats;
  connection: NatsConnection;
  manager: JetStreamManager;
  storage: Storage;
  lakeDir: string;
  publish: (message: TestMessage) => Promise<number>;
  processor: (env?: Record<string, string>) => Promise<TestProcessor>;
  table: (name: TableName, tenantId: string) => Table;
  /** Rows of a tenant's table as its newest version has them. */
  rows: (name: TableName, tenantId: string, select?: string, orderBy?: string) => Promise<Record<string, unknown>[]>;
  /** Rows that a bare glob over the tenant's folder finds, which knows nothing of the log. */
  globCount: (name: TableName, tenantId: string) => Promise<number>;
  /** Rows of some files, or of what a glob finds. */
  rowsIn: (files: readonly string[]) => Promise<number>;
  /** Waits until every message of every stream is acknowledged. */
  settled: () => Promise<void>;
  stop: () => Promise<void>;
}

export async function startTestPipeline(options: { maxBytes?: number } = {}): Promise<TestPipeline> {
  const nats = await startNats();
  const dir = await mkdtemp(join(tmpdir(), 'spor-test-processor-'));
  const lakeDir = join(dir, 'lake');
  const connection = await connectNats({ url: nats.url, name: 'test', log: createLog('test', 'silent') });
  const streams = Array.from({ length: SHARDS }, (_, shard) => ({
    name: streamName(shard),
    subjects: streamSubjects(shard),
  }));
  await ensureStreams(connection, {
    streams,
    beyond: streamName(SHARDS),
    maxBytes: options.maxBytes ?? 1 << 30,
    replicas: 1,
  });
  const client: JetStreamClient = jetstream(connection);
  const manager = await jetstreamManager(connection);
  const storage = await openLocalStorage(lakeDir);
  const registry = createRegistry();
  const running: TestProcessor[] = [];
  const table = (name: TableName, tenantId: string): Table => deltaTable(storage, tableSpec(name, tenantId, registry));

  const query = async (sql: string): Promise<Record<string, unknown>[]> => {
    const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
    const session = await instance.connect();
    await session.run("SET TimeZone = 'UTC'");
    const rows = await (await session.run(sql)).getRowObjectsJson();
    session.closeSync();
    instance.closeSync();
    return rows;
  };

  const bench: TestPipeline = {
    nats,
    connection,
    manager,
    storage,
    lakeDir,
    table,
    publish: async ({ subject, payload, headers }) =>
      (await client.publish(subject, payload, { headers, timeout: 20_000 })).seq,
    processor: async (env = {}) => {
      const started = await startProcessor({
        NATS_URL: asRole(nats.url, 'processor'),
        LAKE_URL: `file:${lakeDir}`,
        WORK_DIR: join(dir, 'work'),
        ...env,
      });
      running.push(started);
      return started;
    },
    rows: async (name, tenantId, select = '*', orderBy = 'receipt_id, receipt_index') => {
      const paths = [...(await table(name, tenantId).snapshot()).files.keys()].map((path) =>
        storage.localPath(`${name}/tenant=${tenantId}/${path}`),
      );
      if (paths.length === 0) return [];
      const list = paths.map((path) => `'${path}'`).join(', ');
      return query(
        `SELECT ${select} FROM read_parquet([${list}], hive_partitioning = true, union_by_name = true, file_row_number = true) ORDER BY ${orderBy}`,
      );
    },
    globCount: (name, tenantId) => bench.rowsIn([`${lakeDir}/${name}/tenant=${tenantId}/segment=*/date=*/*.parquet`]),
    rowsIn: async (files) => {
      const list = files.map((file) => `'${file}'`).join(', ');
      const [row] = await query(`SELECT count(*) AS n FROM read_parquet([${list}])`);
      return Number(row?.n);
    },
    settled: () =>
      until(async () => {
        for (const { name } of streams) {
          const { state } = await manager.streams.info(name);
          if (state.last_seq === 0) continue;
          const entry = await manager.streams.getMessage('KV_spor_progress', {
            last_by_subj: `$KV.spor_progress.shard.${name.slice(7)}`,
          });
          if (!entry || (entry.json<{ floor: number }>().floor ?? 0) < state.last_seq) return false;
        }
        return true;
      }),
    stop: async () => {
      for (const { child } of running) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      }
      await connection.close();
      await nats.stop();
      await rm(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
  return bench;
}

/** Starts a real processor process. */
export async function startProcessor(env: Record<string, string>): Promise<TestProcessor> {
  const child = fork(MAIN, [], {
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: {
      PATH: process.env.PATH,
      PROCESSOR_PORT: '0',
      LOG_LEVEL: 'debug',
      WINDOW_MAX_MS: '100',
      // Tests with several tenants do not wait for each other's turn.
      COMMITS_PER_SECOND: '1000',
      LEASE_SECONDS: '2',
      DUCKDB_MEMORY: '256MiB',
      ...env,
    },
  });
  let log = '';
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (chunk: Buffer) => (log = (log + chunk).slice(-200_000)));
  const port = await new Promise<number>((resolve, reject) => {
    child.on('message', (message: { ready?: { port: number } }) => message.ready && resolve(message.ready.port));
    child.once('exit', (code, signal) =>
      reject(new Error(`processor ended with ${code ?? signal}: ${log.slice(-3000)}`)),
    );
  });
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  return {
    port,
    child,
    log: () => log,
    kill: async (name) => {
      child.kill(name);
      if (name === 'SIGSTOP') await untilStopped(child.pid!);
      if (name === 'SIGSTOP' || name === 'SIGCONT') return { code: null, signal: null };
      const [code, signal] = await exited;
      return { code, signal };
    },
  };
}
