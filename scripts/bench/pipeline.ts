import { join } from 'node:path';
import { delay } from '../../runtime/retry.ts';
import { measureFreshness, quantile } from '../demo/freshness.ts';
import { createQueryClient } from '../queryClient.ts';
import { startStack, type Stack } from '../stack/stack.ts';
import { lakeContents } from './lakeContents.ts';
import { cpuShares, processUse } from './procStats.ts';
import { mean, round, type Result } from './report.ts';
import { meanBytes, probes, sampleEvents } from './sampleEvents.ts';
import { issueKeys, issueToken, keyKnown, streamMaxBytes, tenantIds, type BenchOptions } from './services.ts';
import { drained, eventsAccepted, backlogEvents } from './stackState.ts';
import { wrk, type Load } from './wrk.ts';

const TENANTS = 10;
const PEAK_REACH = 120_000;
const FRESH_RATE = 20_000;
const FRESH_REACH_MS = 1_000;
const STORAGE_REACH = 10;
/** Share of the measured rate to hold for the whole time. */
const HELD_SHARE = 0.97;
/** The default of all services. */
const SHARDS = 4;
const TRIAL_SECONDS = 10;
const POLL_MS = 50;

/** Generator, receiver, stream, processor and lake together on this machine. */
export async function benchPipeline(options: BenchOptions): Promise<Result[]> {
  const { dir, log } = options;
  const stack = await startStack({
    dir,
    ports: 'free',
    restart: false,
    log,
    env: {
      ...process.env,
      LOG_LEVEL: 'warn',
      STREAM_MAX_BYTES: await streamMaxBytes(dir, SHARDS),
      // The end of a load is told by its last commit, which would otherwise wait for seconds.
      COMMITS_PER_SECOND: '1000',
    },
  });
  try {
    const tenants = tenantIds(TENANTS);
    const keys = await issueKeys(stack.nats, tenants);
    await keyKnown(stack.ingestUrl, keys.at(-1)!);
    const load: Load = {
      url: stack.ingestUrl,
      keys,
      events: sampleEvents(),
      eventsPerPost: 20,
      connections: 64,
      seconds: options.seconds,
    };
    const one = { ...load, keys: keys.slice(0, 1) };
    const fresh = await freshness(stack, options, one, tenants[0]!);
    const short = Math.min(TRIAL_SECONDS, options.seconds);
    const trial = await run(stack, { ...one, seconds: short });
    log(`tried: ${trial.text}`);
    const requestsPerSecond = (trial.committedPerSecond * HELD_SHARE) / load.eventsPerPost;
    const held = await run(stack, { ...one, requestsPerSecond });
    log(`held: ${held.text}`);
    const many = await run(stack, { ...load, seconds: short });
    log(`${TENANTS} tenants: ${many.text}`);
    const { value, unit, detail } = await freshness(stack, options, one, tenants[0]!);
    await drained(stack);
    const stored = await lakeContents(join(dir, 'lake'));
    const accepted = await eventsAccepted(stack);
    const rawBytes = accepted * meanBytes(load.events);
    return [
      {
        name: 'accepted, fsynced and committed, everything on this machine, one tenant',
        value: held.committedPerSecond,
        reach: PEAK_REACH,
        unit: 'events/s',
        detail: `${held.text}; lost ${Math.max(0, accepted - stored.ids)}, duplicated ${stored.rows - stored.ids} of ${round(accepted)} in all`,
      },
      {
        name: `the same with ${TENANTS} tenants`,
        value: many.committedPerSecond,
        unit: 'events/s',
        detail: many.text,
      },
      fresh,
      { name: 'the same right after all of that, beside the first making of the marts', value, unit, detail },
      {
        name: 'storage, against the JSON as sent',
        value: rawBytes / stored.bytes / STORAGE_REACH,
        reach: 1,
        unit: `(a ${STORAGE_REACH}th / measured)`,
        detail: `${round(rawBytes / stored.bytes)} times smaller: ${(stored.bytes / stored.rows).toFixed(1)} bytes an event instead of ${meanBytes(load.events).toFixed(0)}, before compaction, ${stored.files} files`,
      },
    ];
  } finally {
    await stack.stop();
  }
}

interface PipelineRun {
  committedPerSecond: number;
  text: string;
}

/** Runs a load until all of it is committed. */
async function run(stack: Stack, load: Load): Promise<PipelineRun> {
  const before = { accepted: await eventsAccepted(stack), use: processUse(stack.processes()) };
  const startedMs = performance.now();
  const lag: number[] = [];
  const ended = new AbortController();
  const sampling = sampleLag(stack, lag, ended.signal);
  const result = await wrk(load);
  const loadSeconds = (performance.now() - startedMs) / 1000;
  const after = processUse(stack.processes());
  ended.abort();
  await sampling;
  await drained(stack);
  const seconds = (performance.now() - startedMs) / 1000;
  const events = (await eventsAccepted(stack)) - before.accepted;
  const half = Math.floor(lag.length / 2);
  return {
    committedPerSecond: events / seconds,
    text:
      `${round(result.eventsPerSecond)} events/s accepted for ${load.seconds} s, all committed ${(seconds - loadSeconds).toFixed(1)} s later; ` +
      `events not yet committed: ${round(mean(lag.slice(0, half)))} on average in the first half, ${round(mean(lag.slice(half)))} in the second; ` +
      `refused ${result.refused}, 202 after p50 ${result.latencyMs.p50} ms, p99 ${result.latencyMs.p99} ms; ` +
      `cores: ${cpuShares(before.use, after, loadSeconds)}`,
  };
}

async function sampleLag(stack: Stack, into: number[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await delay(1_000, signal);
    if (!signal.aborted) into.push(await backlogEvents(stack));
  }
}

/** Time from a 202 to the first answer with the event. */
async function freshness(stack: Stack, options: BenchOptions, load: Load, tenantId: string): Promise<Result> {
  const token = await issueToken(stack.nats, tenantId);
  const client = createQueryClient(stack.queryUrl);
  const measured = measureFreshness({ client, tokenOf: () => token });
  const seconds = Math.min(options.seconds, 20);
  const loading = wrk({ ...load, seconds, requestsPerSecond: FRESH_RATE / load.eventsPerPost });
  const untilMs = performance.now() + seconds * 1000;
  for (const event of probes()) {
    if (performance.now() > untilMs) break;
    const response = await fetch(new URL('/api/events', load.url), {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-instrumentation-key': load.keys[0]! },
      body: `{"events":[${event.json}]}`,
    });
    if (response.status !== 202) throw new Error(`a probe was answered ${response.status}: ${await response.text()}`);
    measured.accepted({ tenantId, segmentId: 'web', events: [event] }, Date.now());
    await delay(POLL_MS);
  }
  const { eventsPerSecond } = await loading;
  await measured.settle(10_000, new AbortController().signal);
  await measured.stop();
  if (measured.unseen > 0) throw new Error(`${measured.unseen} acknowledged events were not seen in SQL`);
  const p99 = quantile(measured.measured, 0.99);
  return {
    name: 'freshness at 20,000 events/s, p99',
    value: FRESH_REACH_MS / p99,
    reach: 1,
    unit: `(${FRESH_REACH_MS} ms / measured)`,
    detail: `from the 202 to an SQL answer with the event: p50 ${quantile(measured.measured, 0.5)} ms, p99 ${p99} ms of ${measured.measured.length}, at ${round(eventsPerSecond)} events/s`,
  };
}
