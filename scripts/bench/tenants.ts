import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { delay } from '../../runtime/retry.ts';
import { literal } from '../../lake/duckdb/sqlText.ts';
import { quantile } from '../demo/freshness.ts';
import { createQueryClient } from '../queryClient.ts';
import { startS3, type TestS3 } from '../s3/s3Server.ts';
import { startStack, type Stack } from '../stack/stack.ts';
import { cpuSeconds, cpuShares, processUse } from './procStats.ts';
import { round, type Result } from './report.ts';
import {
  REQUEST_KINDS,
  dollarsAMonth,
  startCountingProxy,
  type CountingProxy,
  type RequestCounts,
} from './s3Requests.ts';
import { probes, sampleEvents } from './sampleEvents.ts';
import { scrape } from './scrape.ts';
import { issueKeys, issueToken, keyKnown, streamMaxBytes, tenantIds, type BenchOptions } from './services.ts';
import { wrk, type Load } from './wrk.ts';

const TENANTS = 1_000;
const QUICK_TENANTS = 20;
const CORES_REACH = 0.6;
const REQUESTS_REACH = 12;
const SQL_REACH_MS = 1_000;
/** Tenants whose answers are timed, in turn. */
const PROBED_TENANTS = 40;
const PROBE_EVERY_MS = 100;
const UNSEEN_MS = 30_000;
/** Fewer commits, which are requests there (docs/operator.md). */
const S3_SETTINGS = { COMMITS_PER_SECOND: '4' };
const SHARDS = 4;

/** Many tenants that send little, each event in a POST of its own. */
export async function benchTenants(options: BenchOptions): Promise<Result[]> {
  const inFolder = await measure(options, 'folder');
  const server = await startS3();
  if ('unavailable' in server) {
    options.log(`S3 was left out: ${server.unavailable}`);
    return inFolder;
  }
  try {
    return [...inFolder, ...(await measure(options, 'S3', server))];
  } finally {
    await server.stop();
  }
}

async function measure(options: BenchOptions, place: string, server?: TestS3): Promise<Result[]> {
  const { log, quick, seconds } = options;
  const dir = join(options.dir, place);
  const proxy = server && (await startCountingProxy(server.config.s3Endpoint));
  const s3 =
    server && proxy
      ? { ...server.env, ...S3_SETTINGS, S3_ENDPOINT: proxy.url, LAKE_URL: `s3://${server.bucket}/tenants` }
      : {};
  const env = { ...process.env, LOG_LEVEL: 'warn', STREAM_MAX_BYTES: await streamMaxBytes(options.dir, SHARDS), ...s3 };
  const stack = await startStack({ dir, ports: 'free', restart: false, log, env });
  try {
    const tenants = tenantIds(options.tenants ?? (quick ? QUICK_TENANTS : TENANTS));
    const keys = await issueKeys(stack.nats, tenants);
    await keyKnown(stack.ingestUrl, keys.at(-1)!);
    const load: Load = {
      url: stack.ingestUrl,
      keys,
      events: sampleEvents(),
      eventsPerPost: 1,
      connections: 64,
      seconds: 2 * seconds + freshSeconds(seconds),
      requestsPerSecond: tenants.length,
    };
    const loading = wrk(load);
    // The first tables are made in this time.
    await delay(seconds * 1_000);
    const used = await use(stack, proxy, seconds);
    log(`${place}: ${used.text}`);
    const fresh = await freshness(stack, { ...options, seconds: freshSeconds(seconds) }, { tenants, keys });
    const { eventsPerSecond, refused } = await loading;
    const what = `${tenants.length} tenants, an event a second each`;
    return [
      {
        name: `${what}, ${place}: cores of everything`,
        value: CORES_REACH / used.cores,
        reach: 1,
        unit: `(${CORES_REACH} cores / measured)`,
        detail: `${used.text}; ${round(eventsPerSecond)} events/s accepted, ${refused} refused`,
      },
      ...(used.requests
        ? [
            {
              name: `${what}, ${place}: PUT, POST and LIST`,
              value: REQUESTS_REACH / (used.requests.PUT + used.requests.POST + used.requests.LIST),
              reach: 1,
              unit: `(${REQUESTS_REACH} a second / measured)`,
              detail: requestsText(used.requests),
            },
          ]
        : []),
      {
        name: `${what}, ${place}: an SQL answer with the newest event, p99`,
        value: SQL_REACH_MS / fresh.p99,
        reach: 1,
        unit: `(${SQL_REACH_MS} ms / measured)`,
        detail: fresh.text,
      },
    ];
  } finally {
    await stack.stop();
    await proxy?.stop();
  }
}

/** Shorter than the measurement, because each answer costs as much as many events. */
function freshSeconds(seconds: number): number {
  return Math.min(seconds, 30);
}

function requestsText(perSecond: RequestCounts): string {
  const rates = REQUEST_KINDS.map((kind) => `${kind} ${round(perSecond[kind])}`).join(', ');
  return `a second: ${rates}; $${round(dollarsAMonth(perSecond))} a month for requests`;
}

interface Use {
  cores: number;
  requests?: RequestCounts;
  text: string;
}

/** Measures what the processes and the store do for some seconds. */
async function use(stack: Stack, proxy: CountingProxy | undefined, seconds: number): Promise<Use> {
  const look = async () => ({
    processes: processUse(stack.processes()),
    requests: proxy?.counts(),
    metrics: await scrape(stack.processorUrl),
    objects: stack.lakeUrl.startsWith('file:') ? await countFiles(stack.lakeUrl.slice('file:'.length)) : undefined,
    atMs: performance.now(),
  });
  const before = await look();
  await delay(seconds * 1_000);
  const after = await look();
  const lasted = (after.atMs - before.atMs) / 1_000;
  const cores = cpuSeconds(before.processes, after.processes) / lasted;
  const rate = (metric: string): string => {
    const name = `spor_processor_${metric}_total`;
    return round(((after.metrics.get(name) ?? 0) - (before.metrics.get(name) ?? 0)) / lasted);
  };
  const found = (kind: keyof LakeFiles): string => round((after.objects![kind] - before.objects![kind]) / lasted);
  const objects = after.objects
    ? `; new in the lake a second: ${found('data')} Parquet files, ${found('entries')} log entries, ${found('checkpoints')} checkpoints`
    : '';
  const requests =
    proxy &&
    (Object.fromEntries(
      REQUEST_KINDS.map((kind) => [kind, (after.requests![kind] - before.requests![kind]) / lasted]),
    ) as RequestCounts);
  return {
    cores,
    ...(requests ? { requests } : {}),
    text:
      `${cores.toFixed(2)} cores: ${cpuShares(before.processes, after.processes, lasted)}; ` +
      `flushes write ${rate('files')} files and ${rate('commits')} log entries a second${objects}`,
  };
}

interface LakeFiles {
  data: number;
  entries: number;
  checkpoints: number;
}

async function countFiles(lake: string): Promise<LakeFiles> {
  const paths = await readdir(lake, { recursive: true });
  const count = (pattern: RegExp): number => paths.filter((path) => pattern.test(path)).length;
  const all = count(/\.parquet$/);
  const checkpoints = count(/\.checkpoint[^/]*\.parquet$/);
  return { data: all - checkpoints, entries: count(/_delta_log\/\d+\.json$/), checkpoints };
}

/** Time from a 202 to the first answer with the event, of some of the tenants in turn, one question at a time. */
async function freshness(
  stack: Stack,
  { seconds }: BenchOptions,
  { tenants, keys }: { tenants: readonly string[]; keys: readonly string[] },
): Promise<{ p99: number; text: string }> {
  const probed = tenants.slice(0, PROBED_TENANTS);
  const tokens: string[] = [];
  for (const tenantId of probed) tokens.push(await issueToken(stack.nats, tenantId));
  const client = createQueryClient(stack.queryUrl);
  const measured: number[] = [];
  const untilMs = performance.now() + seconds * 1_000;
  let turn = 0;
  for (const event of probes()) {
    if (performance.now() > untilMs) break;
    const at = turn++ % probed.length;
    const response = await fetch(new URL('/api/events', stack.ingestUrl), {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-instrumentation-key': keys[at]! },
      body: `{"events":[${event.json}]}`,
    });
    if (response.status !== 202) throw new Error(`a probe was answered ${response.status}: ${await response.text()}`);
    const acceptedMs = performance.now();
    const sql = `select event_id from events where event_id = ${literal(event.eventId!)}`;
    while ((await client.ask(tokens[at]!, sql)).rows.length === 0) {
      if (performance.now() - acceptedMs > UNSEEN_MS) throw new Error('an acknowledged event was not seen in SQL');
    }
    measured.push(performance.now() - acceptedMs);
    await delay(PROBE_EVERY_MS);
  }
  measured.sort((a, b) => a - b);
  const [p50, p99] = [quantile(measured, 0.5), quantile(measured, 0.99)];
  return {
    p99,
    text: `from the 202 to an answer with the event: p50 ${round(p50)} ms, p99 ${round(p99)} ms of ${measured.length}, ${probed.length} tenants in turn`,
  };
}
