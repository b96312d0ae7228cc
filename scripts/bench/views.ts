import { simulate } from '../shop/simulation.ts';
import { SHOPS } from '../shop/shops.ts';
import { delay } from '../../runtime/retry.ts';
import { startStack, type Stack } from '../stack/stack.ts';
import { DAY_MS, utcDay } from '../../runtime/units.ts';
import { processUse } from './procStats.ts';
import { spread, type Result } from './report.ts';
import { issueKeys, issueToken, keyKnown, tenantIds, type BenchOptions } from './services.ts';
import { postEvents } from './postEvents.ts';
import { drained } from './stackState.ts';

const EVENTS = 73_000;
const QUICK_EVENTS = 1_000;
const DAYS = 28;
const POLL_MS = 50;
/** Events of one more commit. */
const COMMIT_EVENTS = 30;
/** Questions that the console asks at once (console/api.ts). */
const AT_ONCE = 2;
const REACH_SECONDS = { 'first look': 2, again: 0.1, 'after one more commit': 0.5 };

/** Reports of the console's Search view (console/views/search.ts), and whether of the period before. */
const SEARCH_VIEW: readonly { name: string; limit?: string; before?: boolean }[] = [
  { name: 'search_overview' },
  { name: 'search_overview', before: true },
  { name: 'search_daily' },
  { name: 'search_phrases', limit: '100' },
  { name: 'search_revenue' },
  { name: 'search_zero_results', limit: '100' },
  { name: 'search_no_clicks', limit: '100' },
  { name: 'search_positions' },
  { name: 'search_rising', limit: '100' },
  { name: 'search_filters', limit: '100' },
];

/** CPU of the query server for the console's Search view over a month of one shop. */
export async function benchViews(options: BenchOptions): Promise<Result[]> {
  const { dir, log, rounds } = options;
  const count = options.events ?? (options.quick ? QUICK_EVENTS : EVENTS);
  const seconds: Record<keyof typeof REACH_SECONDS, number[]> = {
    'first look': [],
    again: [],
    'after one more commit': [],
  };
  for (let round = 0; round < rounds; round++) {
    // Marts and accounts work at times of their own, which a short measurement may meet.
    const env = { ...process.env, LOG_LEVEL: 'warn', LAKE_MARTS_SECONDS: '0' };
    const stack = await startStack({ dir: `${dir}/${round}`, ports: 'free', restart: false, log, env });
    try {
      const [tenantId = ''] = tenantIds(1);
      const [key = ''] = await issueKeys(stack.nats, [tenantId]);
      await keyKnown(stack.ingestUrl, key);
      const shop = shopEvents(count + COMMIT_EVENTS);
      await postEvents(stack, key, shop.slice(0, count));
      await drained(stack);
      const token = await issueToken(stack.nats, tenantId);
      await ready(stack, token);
      const look = (): Promise<number> => cpuOf(stack, () => askView(stack, token));
      seconds['first look'].push(await look());
      seconds.again.push(await look());
      await postEvents(stack, key, shop.slice(count));
      await drained(stack);
      seconds['after one more commit'].push(await look());
    } finally {
      await stack.stop();
    }
  }
  return Object.entries(seconds).map(([name, values]) => {
    const reach = REACH_SECONDS[name as keyof typeof REACH_SECONDS];
    const { median, text } = spread(values);
    return {
      name: `CPU of the Search view, ${name}`,
      value: reach / Math.max(median, 0.01),
      reach: 1,
      unit: `(${reach} s / measured)`,
      detail: `${text} s of the query server and its processes, for ${SEARCH_VIEW.length} reports over ${count.toLocaleString('en')} events of ${DAYS} days`,
    };
  });
}

/** Events of one simulated shop over the last days, the latest last. */
function shopEvents(count: number): string[] {
  const untilMs = Date.now();
  const startMs = untilMs - DAYS * DAY_MS;
  const shops = SHOPS.slice(0, 1);
  const eventsPerSecond = (1.2 * count) / ((untilMs - startMs) / 1_000);
  const events = [...simulate({ seed: 1, startMs, untilMs, eventsPerSecond, badShare: 0, shops })];
  if (events.length < count) throw new Error(`the simulation gave ${events.length} events, fewer than ${count}`);
  return events.slice(-count).map(({ json }) => json);
}

/** Asks for the view as the console does. */
async function askView({ queryUrl }: Stack, token: string): Promise<void> {
  const to = utcDay(Date.now() + DAY_MS);
  const from = utcDay(Date.now() - (DAYS - 1) * DAY_MS);
  const waiting = SEARCH_VIEW.map(({ name, ...more }) => {
    const query = new URLSearchParams({ from, to, ...(more.limit ? { limit: more.limit } : {}) });
    if (more.before) query.set('before', 'true');
    return `/api/reports/${name}?${query.toString()}`;
  });
  const next = async (): Promise<void> => {
    for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) await ask(queryUrl, path, token);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
}

async function ask(queryUrl: string, path: string, token: string): Promise<void> {
  const response = await fetch(new URL(path, queryUrl), { headers: { authorization: `Bearer ${token}` } });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${path}: ${response.status} ${text.slice(0, 300)}`);
}

/** Waits until the server knows the token, and has run its first query. */
async function ready({ queryUrl }: Stack, token: string): Promise<void> {
  const statement = { method: 'POST', body: JSON.stringify({ sql: 'select 1' }) };
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  while (!(await fetch(new URL('/api/query', queryUrl), { ...statement, headers })).ok) await delay(POLL_MS);
}

/** CPU seconds that the query server and its processes spend on a task. */
async function cpuOf(stack: Stack, task: () => Promise<void>): Promise<number> {
  const spent = (): number =>
    processUse(stack.processes().filter(({ name }) => name === 'lake')).reduce(
      (sum, { cpuSeconds, endedCpuSeconds }) => sum + cpuSeconds + endedCpuSeconds,
      0,
    );
  const before = spent();
  await task();
  return spent() - before;
}
