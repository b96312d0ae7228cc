import { join } from 'node:path';
import { delay } from '../../runtime/retry.ts';
import { startStack, type Stack } from '../stack/stack.ts';
import { lakeContents } from './lakeContents.ts';
import { mean, round, spread, type Result } from './report.ts';
import { sampleEvents } from './sampleEvents.ts';
import { issueKeys, keyKnown, PROGRAMS, startService, tenantIds, type BenchOptions } from './services.ts';
import { drained, eventsAccepted } from './stackState.ts';
import { memoryText, maxGrowth, watchProcesses, type ProcessSamples } from './watchProcesses.ts';
import { wrk, type Load, type LoadResult } from './wrk.ts';

const TENANTS = 10;
const TIMES_PEAK = 3;
const IDLE_CONNECTIONS = 3_000;
const IDLE = 10_000;
/** Connections per open one: a fifth is reconnecting, because the receiver closes idle ones. */
const WITH_THOSE_AWAY = 1.25;
const SLOW = 200;
const KEPT_REACH = 0.9;
const RECOVERY_REACH_SECONDS = 10;
const P99_REACH = 1.5;
/** Pairs of runs; one p99 differs by half from the next. */
const IDLE_CONNECTION_ROUNDS = 5;
/** Growth over a run that counts as none. */
const FLAT = 0.05;
const SHORT_SECONDS = 15;
/** Length of the peak's measurement, long enough to fill the buffers. */
const PEAK_SECONDS = 60;
/** Numbers of connections to try: few cannot fill a machine with slow system calls. */
const PEAK_CONNECTIONS = [64, 512];
const WARM_UP_SECONDS = 5;
const SOAK_EVENTS_PER_SECOND = 20_000;
const LOOK_MS = 1_000;
const QUIET_MS = 250;
const QUIET_IN_A_ROW = 5;

/** Bounds that one machine meets, with several trims of the stream. */
const BOUNDS = {
  LOG_LEVEL: 'warn',
  INGEST_MAX_IN_FLIGHT_BYTES: String(16 * 2 ** 20),
  STREAM_MAX_BYTES: String(1 * 2 ** 30),
  DEDUPE_MAX_BYTES: String(64 * 2 ** 20),
};

/** Bounds of a soak, met in the first quarter of the time. */
const SOAK_BOUNDS = { STREAM_MAX_BYTES: String(512 * 2 ** 20), COMPACT_AFTER_SECONDS: '120' };

interface BenchStack {
  stack: Stack;
  load: Load;
}

/** Three times the peak load, beside many idle and slow connections. */
export function benchOverload(options: BenchOptions): Promise<Result[]> {
  return withStack(options, {}, async (bench) => {
    // Connections come first: compaction and marts after the overload would disturb the comparison.
    const others = await crowd(options, bench);
    return [...(await overload(options, bench)), others, await honoured(options, bench)];
  });
}

/** A long steady load, in which nothing may grow. */
export function benchSoak(options: BenchOptions): Promise<Result[]> {
  return withStack(options, SOAK_BOUNDS, async (bench) => {
    const requestsPerSecond = SOAK_EVENTS_PER_SECOND / bench.load.eventsPerPost;
    const { courses, result } = await watched(bench, { ...bench.load, requestsPerSecond });
    await drained(bench.stack);
    const descriptors = courses
      .map(({ name, fileDescriptors }) => `${name} ${Math.max(...fileDescriptors)}`)
      .join(', ');
    const over = `over the last three quarters of ${bench.load.seconds} s at ${round(result.eventsPerSecond)} events/s`;
    return [
      flat('growth of memory', maxGrowth(courses, 'rssBytes'), `${memoryText(courses)}; ${over}`),
      flat('growth of open files', maxGrowth(courses, 'fileDescriptors'), `at most ${descriptors}; ${over}`),
      await honoured(options, bench),
    ];
  });
}

function flat(name: string, share: number, detail: string): Result {
  const unit = `(${FLAT * 100} % / measured)`;
  return { name, value: FLAT / Math.max(share, FLAT / 100), reach: 1, unit, detail };
}

async function withStack(
  options: BenchOptions,
  bounds: Record<string, string>,
  task: (bench: BenchStack) => Promise<Result[]>,
): Promise<Result[]> {
  const { dir, log } = options;
  const env = { ...process.env, ...BOUNDS, ...bounds };
  const stack = await startStack({ dir, ports: 'free', restart: false, log, env });
  try {
    const keys = await issueKeys(stack.nats, tenantIds(TENANTS));
    await keyKnown(stack.ingestUrl, keys.at(-1)!);
    const { seconds } = options;
    const events = sampleEvents();
    const load: Load = { url: stack.ingestUrl, keys, events, eventsPerPost: 20, connections: 64, seconds };
    return await task({ stack, load });
  } finally {
    await stack.stop();
  }
}

async function overload({ log }: BenchOptions, bench: BenchStack): Promise<Result[]> {
  const peak = await peakOf(bench, log);
  const requestsPerSecond = (TIMES_PEAK * peak) / bench.load.eventsPerPost;
  const load = { ...bench.load, connections: IDLE_CONNECTIONS, requestsPerSecond, countAnswers: true };
  const startedMs = performance.now();
  const { courses, result } = await watched(bench, load);
  const recovery = await untilQuiet(bench);
  const held = await heldRate(bench, result, startedMs);
  const { busy, withoutRetryAfter, other } = result.answers;
  const accepted = result.requests - result.refused;
  const tried = (result.requests * load.eventsPerPost) / result.seconds;
  const texts = `${round(tried)} events/s tried and ${round(result.eventsPerSecond)} accepted for ${load.seconds} s; until all were committed ${round(held)} against a peak of ${round(peak)}; `;
  const answers = `${accepted} × 202, ${busy} × 429 or 503 (${withoutRetryAfter} without Retry-After), ${other} others, ${result.socketErrors} broken connections`;
  return [
    {
      name: `throughput at ${TIMES_PEAK} times the peak`,
      value: held / peak,
      reach: KEPT_REACH,
      unit: '×',
      detail: texts + answers,
    },
    {
      name: 'refusals that say when to come back',
      value: busy + other === 0 ? 1 : (busy - withoutRetryAfter) / (busy + other),
      reach: 1,
      unit: '×',
      detail: answers,
    },
    flat('growth of memory in overload', maxGrowth(courses, 'rssBytes'), memoryText(courses)),
    {
      name: 'recovery after overload',
      value: RECOVERY_REACH_SECONDS / Math.max(recovery, 0.1),
      reach: 1,
      unit: `(${RECOVERY_REACH_SECONDS} s / measured)`,
      detail: `answers under ${QUIET_MS} ms again ${recovery.toFixed(1)} s after the load ended`,
    },
  ];
}

/** Most events per second, over the numbers of connections. */
async function peakOf(bench: BenchStack, log: BenchOptions['log']): Promise<number> {
  const load = (connections: number, seconds: number): Load => ({
    ...bench.load,
    connections,
    seconds: Math.min(seconds, bench.load.seconds),
  });
  let best = { connections: 0, rate: 0 };
  for (const connections of PEAK_CONNECTIONS) {
    const { eventsPerSecond: rate } = await wrk(load(connections, SHORT_SECONDS));
    log(`${Math.round(rate)} events/s accepted with ${connections} connections`);
    if (rate >= best.rate) best = { connections, rate };
  }
  await drained(bench.stack);
  const startedMs = performance.now();
  const result = await wrk(load(best.connections, PEAK_SECONDS));
  const peak = await heldRate(bench, result, startedMs);
  log(`${Math.round(result.eventsPerSecond)} events/s accepted, ${Math.round(peak)} until all were committed`);
  return peak;
}

/**
 * Events per second from a load's start until its last commit.
 *
 * Events in the stream are work still to do, so the time includes them.
 */
async function heldRate({ stack, load }: BenchStack, result: LoadResult, startedMs: number): Promise<number> {
  await drained(stack);
  return ((result.requests - result.refused) * load.eventsPerPost * 1000) / (performance.now() - startedMs);
}

/** Samples the processes during a load. */
async function watched({ stack }: BenchStack, load: Load): Promise<{ courses: ProcessSamples[]; result: LoadResult }> {
  const ended = new AbortController();
  const watching = watchProcesses(stack, LOOK_MS, ended.signal);
  const result = await wrk(load).finally(() => ended.abort());
  return { courses: await watching, result };
}

/** Seconds until single events are answered at once again. */
async function untilQuiet({ load }: BenchStack): Promise<number> {
  const startedMs = performance.now();
  for (let quiet = 0; quiet < QUIET_IN_A_ROW;) {
    const sentMs = performance.now();
    const response = await fetch(new URL('/api/events', load.url), {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-instrumentation-key': load.keys[0]! },
      body: '{"events":[]}',
    });
    await response.arrayBuffer();
    quiet = response.status === 400 && performance.now() - sentMs < QUIET_MS ? quiet + 1 : 0;
    await delay(20);
  }
  return (performance.now() - startedMs) / 1000;
}

/** Latency of other senders with and without held connections. */
async function crowd(options: BenchOptions, bench: BenchStack): Promise<Result> {
  const { load } = bench;
  const half = {
    ...load,
    seconds: Math.min(SHORT_SECONDS, load.seconds),
    requestsPerSecond: 25_000 / load.eventsPerPost,
  };
  const [idle, slow] = options.quick ? [100, 10] : [IDLE, SLOW];
  const pairs: { alone: number; crowded: number; held: number }[] = [];
  await wrk({ ...half, seconds: Math.min(WARM_UP_SECONDS, half.seconds) });
  const rounds = options.quick ? 1 : Math.max(IDLE_CONNECTION_ROUNDS, options.rounds);
  for (let done = 0; done < rounds; done++) {
    const alone = await wrk(half);
    const holder = await startService('hold', PROGRAMS.hold, options, {
      HOLD_PORT: new URL(load.url).port,
      HOLD_KEY: load.keys[0]!,
      HOLD_IDLE: String(idle! * WITH_THOSE_AWAY),
      HOLD_SLOW: String(slow),
    });
    try {
      const { courses, result } = await watched(bench, half);
      const { fileDescriptors } = courses.find(({ name }) => name === 'ingest')!;
      const held = mean(fileDescriptors);
      pairs.push({ alone: alone.latencyMs.p99, crowded: result.latencyMs.p99, held });
      options.log(`${round(held)} connections held`);
    } finally {
      await holder.stop();
    }
  }
  const ratio = spread(pairs.map(({ alone, crowded }) => crowded / alone));
  const text = (of: 'alone' | 'crowded' | 'held'): string => spread(pairs.map((pair) => pair[of])).text;
  return {
    name: `p99 of others beside ${round(idle!)} idle and ${slow} slow connections`,
    value: P99_REACH / ratio.median,
    reach: 1,
    unit: `(${P99_REACH} × / measured)`,
    detail: `${ratio.text} × that without them: ${text('crowded')} against ${text('alone')} ms, with ${text('held')} connections open`,
  };
}

/** Whether the lake has every accepted event once. */
async function honoured({ dir }: BenchOptions, { stack }: BenchStack): Promise<Result> {
  await drained(stack);
  const accepted = await eventsAccepted(stack);
  const { rows, ids } = await lakeContents(join(dir, 'lake'));
  return {
    name: 'acknowledged events in the lake, once',
    value: rows === ids ? ids / accepted : 0,
    reach: 1,
    unit: '×',
    detail: `${accepted} acknowledged, lost ${Math.max(0, accepted - ids)}, duplicated ${rows - ids}`,
  };
}
