import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { jetstream } from '@nats-io/jetstream';
import { startChild, type StackProcess } from '../stack/child.ts';
import type { NatsSettings } from '../../stream/credentials.ts';
import { identityEnv, operatorSettings } from '../stack/identities.ts';
import { natsSpec } from '../stack/services.ts';
import { spread, type Result } from './report.ts';
import { sampleEvents } from './sampleEvents.ts';
import {
  connectBench,
  issueKeys,
  PROGRAMS,
  startService,
  streamMaxBytes,
  tenantIds,
  urlOf,
  type BenchOptions,
} from './services.ts';
import { wrk, type Load, type LoadResult } from './wrk.ts';

const TENANTS = 1_000;
const CONNECTIONS = 64;
const CROWD_CONNECTIONS = 512;
const ACK_REACH_MS = 25;

const SHARDS = 4;

/**
 * The Event Receiver with many tenants, its latency, and two comparisons.
 *
 * One comparison is with a receiver that stores nothing, the other with one message per event.
 */
export async function benchIngest(options: BenchOptions): Promise<Result[]> {
  const { dir, log } = options;
  const settings = { dir, env: process.env, ports: 'free' as const, log };
  const running: StackProcess[] = [];
  await mkdir(join(dir, 'logs'));
  try {
    const nats = await startChild(await natsSpec(settings));
    running.push(nats);
    const natsUrl = `nats://127.0.0.1:${nats.facts.port}`;
    const operator = await operatorSettings(dir, natsUrl);
    const keys = await issueKeys(operator, tenantIds(options.quick ? 20 : TENANTS));
    const real = await startService('ingest', PROGRAMS.ingest, options, {
      NATS_URL: natsUrl,
      // No processor makes the streams here, and a receiver's own identity may not.
      ...identityEnv(dir, 'operator'),
      SPOR_SHARDS: String(SHARDS),
      STREAM_MAX_BYTES: await streamMaxBytes(dir, SHARDS),
    });
    running.push(real);
    const discard = await startService('discard', PROGRAMS.discard, options, {
      BENCH_KEYS: keys.join(','),
    });
    running.push(discard);
    return await measure(options, { real: urlOf(real), discard: urlOf(discard), keys, nats: operator });
  } finally {
    for (const child of running.reverse()) await child.stop();
  }
}

interface Targets {
  real: string;
  discard: string;
  keys: string[];
  nats: NatsSettings;
}

async function measure(options: BenchOptions, { real, discard, keys, nats }: Targets): Promise<Result[]> {
  const events = sampleEvents();
  const one = [keys[0]!];
  const load = (target: string, change: Partial<Load> = {}): Load => ({
    url: target,
    keys: one,
    events,
    eventsPerPost: 20,
    connections: CONNECTIONS,
    seconds: options.seconds,
    ...change,
  });
  const results: Result[] = [];

  const batches = await pairs(options, '20 events per POST', load(real), load(discard));
  results.push(compared('20 events per POST, against storing nothing', 0.6, batches));

  const single = await singleMessages(nats, options.seconds);
  options.log(`one message per event: ${Math.round(single)} events/s`);
  results.push({
    name: '20 events per POST, against one message per event',
    value: batches.a.median / single,
    reach: 20,
    unit: '×',
    detail: `${Math.round(batches.a.median)} against ${Math.round(single)} events/s, both fsynced before the acknowledgement`,
  });

  for (const connections of [CONNECTIONS, CROWD_CONNECTIONS]) {
    const change = { eventsPerPost: 1, connections };
    const name = `1 event per POST, ${connections} connections`;
    const singles = await pairs(options, name, load(real, change), load(discard, change));
    results.push(compared(`${name}, against storing nothing`, 0.5, singles));
  }

  for (const connections of [CONNECTIONS, CROWD_CONNECTIONS]) {
    const name = `${keys.length} tenants, ${connections} connections`;
    const tenants = await pairs(options, name, load(real, { keys, connections }), load(real, { connections }));
    const title = `${keys.length} tenants in random order, ${connections} connections, against one`;
    results.push(compared(title, 0.5, tenants));
  }

  const half = await wrk(load(real, { requestsPerSecond: batches.a.median / 20 / 2 }));
  results.push({
    name: 'acknowledgement at half of the peak, p99',
    value: ACK_REACH_MS / half.latencyMs.p99,
    reach: 1,
    unit: `(${ACK_REACH_MS} ms / measured)`,
    detail: `p50 ${half.latencyMs.p50} ms, p99 ${half.latencyMs.p99} ms, p99.9 ${half.latencyMs.p999} ms at ${Math.round(half.eventsPerSecond)} events/s`,
  });
  return results;
}

type Spread = ReturnType<typeof spread>;

interface Pairs {
  ratio: Spread;
  a: Spread;
  b: Spread;
}

function compared(name: string, reach: number, { ratio, a, b }: Pairs): Result {
  return { name, value: ratio.median, reach, unit: '×', detail: `${ratio.text}; ${a.text} against ${b.text} events/s` };
}

/**
 * Measures two loads in turn, so that drift meets both.
 *
 * Each ratio is that of neighbours.
 */
async function pairs({ rounds, log }: BenchOptions, name: string, a: Load, b: Load): Promise<Pairs> {
  const measured: { a: LoadResult; b: LoadResult }[] = [];
  const warmUp = Math.min(2, a.seconds);
  await wrk({ ...a, seconds: warmUp });
  await wrk({ ...b, seconds: warmUp });
  for (let round = 0; round < rounds; round++) {
    const pair = { a: await wrk(a), b: await wrk(b) };
    for (const { refused, socketErrors } of Object.values(pair)) {
      if (refused + socketErrors > 0)
        throw new Error(`${name}: ${refused} requests rejected, ${socketErrors} socket errors`);
    }
    log(`${name}: ${Math.round(pair.a.eventsPerSecond)} against ${Math.round(pair.b.eventsPerSecond)} events/s`);
    measured.push(pair);
  }
  return {
    ratio: spread(measured.map((pair) => pair.a.eventsPerSecond / pair.b.eventsPerSecond)),
    a: spread(measured.map((pair) => pair.a.eventsPerSecond)),
    b: spread(measured.map((pair) => pair.b.eventsPerSecond)),
  };
}

/** Acknowledged publishes of one event each per second, with many under way. */
async function singleMessages(nats: NatsSettings, seconds: number): Promise<number> {
  const connection = await connectBench(nats);
  const stream = jetstream(connection);
  const payload = Buffer.from(sampleEvents(1)[0]!);
  const startedMs = performance.now();
  const untilMs = startedMs + seconds * 1000;
  let acknowledged = 0;
  const publishInTurn = async (): Promise<void> => {
    while (performance.now() < untilMs) {
      await stream.publish('events.0.bench-single.web', payload);
      acknowledged++;
    }
  };
  await Promise.all(Array.from({ length: 512 }, publishInTurn));
  const rate = (acknowledged / (performance.now() - startedMs)) * 1000;
  await connection.close();
  return rate;
}
