import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import type { NatsConnection } from '../../stream/nats.ts';
import { delay } from '../../runtime/retry.ts';
import { createRegistry } from '../../schemas/registry.ts';
import { INTENTS_BUCKET, PROGRESS_BUCKET } from '../../stream/buckets.ts';
import { Progress } from '../../stream/progress.ts';
import { Engine } from '../../lake/duckdb/engine.ts';
import { startChild } from '../stack/child.ts';
import type { NatsSettings } from '../../stream/credentials.ts';
import { identityEnv, operatorSettings } from '../stack/identities.ts';
import { natsSpec } from '../stack/services.ts';
import { copyFlatFile, writeFlatFile } from './flatFile.ts';
import { lakeContents } from './lakeContents.ts';
import { round, spread, type Result } from './report.ts';
import { sampleEvents } from './sampleEvents.ts';
import {
  connectBench,
  issueKeys,
  PROGRAMS,
  SILENT,
  startService,
  streamMaxBytes,
  tenantIds,
  urlOf,
  type BenchOptions,
} from './services.ts';
import { wrk } from './wrk.ts';

const CASES = [
  { tenants: 1, reach: 0.65 },
  { tenants: 100, reach: 0.5 },
];
const STREAM = 'EVENTS_0';
/** One shard, for one Parquet thread like the plain COPY. */
const SHARED = { SPOR_SHARDS: '1' };
/** Enough memory for the plain COPY to sort without disk. */
const COPY_MEMORY = '6GiB';
const POLL_MS = 20;
const PATIENCE_MS = 120_000;
/** Where an owner keeps how far it is; without them the next one begins at the first message. */
const OWNERS_BUCKETS = [PROGRESS_BUCKET, INTENTS_BUCKET];

/**
 * Stream to committed Parquet, against DuckDB's COPY of one file.
 *
 * Both run in new processes.
 */
export async function benchProcessor(options: BenchOptions): Promise<Result[]> {
  const results: Result[] = [];
  for (const { tenants, reach } of CASES) {
    const dir = join(options.dir, `tenants-${tenants}`);
    results.push(await measure({ ...options, dir }, { tenants, reach }));
    await rm(dir, { recursive: true, force: true });
  }
  return results;
}

interface Case {
  tenants: number;
  reach: number;
}

async function measure(options: BenchOptions, { tenants, reach }: Case): Promise<Result> {
  const { dir, rounds, log } = options;
  await mkdir(join(dir, 'logs'), { recursive: true });
  const nats = await startChild(await natsSpec({ dir, env: process.env, ports: 'free', log }));
  const natsUrl = `nats://127.0.0.1:${nats.facts.port}`;
  const operator = await operatorSettings(dir, natsUrl);
  const connection = await connectBench(operator);
  try {
    await fill(operator, options, tenants);
    const { created, state } = await (await jetstreamManager(connection)).streams.info(STREAM);
    const file = join(dir, 'events.ndjson');
    const events = await writeFlatFile(connection, {
      stream: STREAM,
      shard: 0,
      shards: 1,
      lastSequence: state.last_seq,
      file,
    });
    const what = `${tenants} ${tenants === 1 ? 'tenant' : 'tenants'}`;
    log(`${what}: ${events} events in ${state.messages} messages`);
    const copied = copyFlatFile(createRegistry(), file, join(dir, 'copy.parquet'));
    const seconds: { ours: number; copy: number }[] = [];
    for (let round = 0; round < rounds; round++) {
      const lake = join(dir, `lake-${round}`);
      const ours = await timeProcessor(operator, connection, { options, lake, created, lastSequence: state.last_seq });
      await expectAll(lake, events);
      const copy = await timeCopy(options, copied);
      log(`${what}: ${ours.toFixed(2)} s against ${copy.toFixed(2)} s`);
      seconds.push({ ours, copy });
      await rm(lake, { recursive: true, force: true });
    }
    const ratio = spread(seconds.map(({ ours, copy }) => copy / ours));
    const rate = (of: 'ours' | 'copy'): string => spread(seconds.map((pair) => events / pair[of])).text;
    return {
      name: `${what}, against a plain COPY`,
      value: ratio.median,
      reach,
      unit: '×',
      detail: `${ratio.text}; ${rate('ours')} against ${rate('copy')} events/s, ${round(events)} events in ${round(state.messages)} messages, one DuckDB thread each`,
    };
  } finally {
    await connection.close();
    await nats.stop();
  }
}

/** Fills the stream through a real Event Receiver. */
async function fill(operator: NatsSettings, options: BenchOptions, tenants: number): Promise<void> {
  const keys = await issueKeys(operator, tenantIds(tenants));
  const receiver = await startService('ingest', PROGRAMS.ingest, options, {
    ...SHARED,
    NATS_URL: operator.natsUrl,
    // No processor makes the streams here, and a receiver's own identity may not.
    ...identityEnv(options.dir, 'operator'),
    STREAM_MAX_BYTES: await streamMaxBytes(options.dir, 1),
  });
  try {
    await wrk({
      url: urlOf(receiver),
      keys,
      events: sampleEvents(),
      eventsPerPost: 20,
      connections: 64,
      seconds: options.quick ? 1 : 2 * options.seconds,
    });
  } finally {
    await receiver.stop();
  }
}

interface Run {
  options: BenchOptions;
  lake: string;
  created: string;
  lastSequence: number;
}

/** Seconds from a processor's start to its last acknowledgement. */
async function timeProcessor(operator: NatsSettings, connection: NatsConnection, run: Run): Promise<number> {
  const { options, lake, created, lastSequence } = run;
  const kvm = new Kvm(connection);
  for (const bucket of OWNERS_BUCKETS) await (await kvm.create(bucket)).destroy();
  const progress = await Progress.open(connection, { replicas: 1 });
  const processor = await startService('processor', PROGRAMS.processor, options, {
    ...SHARED,
    NATS_URL: operator.natsUrl,
    ...identityEnv(options.dir, 'processor'),
    LAKE_URL: `file:${lake}`,
    WORK_DIR: join(options.dir, 'work'),
    DUCKDB_THREADS: '1',
    // Otherwise the last messages would wait for seconds.
    WINDOW_MAX_MS: '100',
    COMMITS_PER_SECOND: '10000',
  });
  const startedMs = performance.now();
  try {
    while ((await progress.floor(0, created)) < lastSequence) {
      if (performance.now() - startedMs > PATIENCE_MS) throw new Error('the processor did not get through the stream');
      await delay(POLL_MS);
    }
    return (performance.now() - startedMs) / 1000;
  } finally {
    await processor.stop();
  }
}

/**
 * Seconds of a statement in a new DuckDB.
 *
 * The processor's DuckDB begins with untouched memory, which costs page faults, so this one does too.
 */
async function timeCopy({ dir }: BenchOptions, statement: string): Promise<number> {
  const engine = new Engine({ dir: join(dir, 'copy'), memory: COPY_MEMORY, threads: 1, log: SILENT });
  try {
    await engine.start();
    const startedMs = performance.now();
    await engine.session().run(statement);
    return (performance.now() - startedMs) / 1000;
  } finally {
    await engine.close();
  }
}

async function expectAll(lake: string, events: number): Promise<void> {
  const { rows, ids } = await lakeContents(lake);
  if (rows !== events || ids !== events) {
    throw new Error(`the lake has ${rows} rows with ${ids} ids, the stream ${events} events`);
  }
}
