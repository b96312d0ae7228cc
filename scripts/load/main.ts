import { grantAccess, type ShopAccess } from '../access.ts';
import { command, EXIT, runAsProcess, type Context } from '../../cli/command.ts';
import { parseDuration } from '../../cli/duration.ts';
import { numberOption } from '../../cli/number.ts';
import { readEnvironment } from '../../cli/settings.ts';
import { formatTable } from '../../cli/table.ts';
import { number, showProgress } from './progress.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { play, type PlayOptions } from './player.ts';
import { createSender } from './sender.ts';
import { SHOPS } from '../shop/shops.ts';
import { simulate, type SimulationOptions } from '../shop/simulation.ts';
import type { ShopEvent } from '../shop/session.ts';
import { interruption } from '../../runtime/interrupt.ts';
import { readConfig } from '../../runtime/config.ts';
import { DAY_MS } from '../../runtime/units.ts';
import { NATS_SETTINGS } from '../../stream/credentials.ts';

const USAGE = `Usage: npm run load -- [options]

Plays simulated webshops against a running Event Receiver and says what became of the events. Sends again after 429, 503
and broken connections, with the same event ids, no sooner than Retry-After says.

  --url <url>          the Event Receiver (default that of "npm run up", else http://127.0.0.1:4001)
  --key <key>          send everything with this instrumentation key; by default keys for the simulated shops are made
                       through NATS_URL, good for a day
  --rate <n>           events a second, on average; 0: as fast as they are answered (default 500)
  --seconds <n>        how long (default 10)
  --batch <n>          most events in a POST (default 20)
  --connections <n>    most POSTs under way at once (default 32)
  --patience <time>    a batch is given up when it has failed for so long, such as 30s (default 1m)
  --bad <part>         part of the events that are followed by a faulty one (default 0.01)
  --whole <part>       part of the visits that send every event type, such as impressions (default 0.5)
  --seed <n>           (default: another one each time)
  --json               the result as JSON on standard output
`;

/** Pace of visits of seconds, to reach the rate soon. */
const HURRIED = 0.02;

const load = command({
  usage: USAGE,
  options: {
    url: { type: 'string' },
    key: { type: 'string' },
    rate: { type: 'string' },
    seconds: { type: 'string' },
    batch: { type: 'string' },
    connections: { type: 'string' },
    patience: { type: 'string' },
    bad: { type: 'string' },
    whole: { type: 'string' },
    seed: { type: 'string' },
  },
  async run(values, _, context) {
    const rate = numberOption('--rate', values.rate ?? '500', { min: 0, max: 1_000_000 });
    const seconds = numberOption('--seconds', values.seconds ?? '10', { min: 0.1, max: 864_000, whole: false });
    const batchEvents = numberOption('--batch', values.batch ?? '20', { min: 1, max: 1_000 });
    const connections = numberOption('--connections', values.connections ?? '32', { min: 1, max: 10_000 });
    const giveUpMs = parseDuration('--patience', values.patience ?? '1m');
    const badShare = numberOption('--bad', values.bad ?? '0.01', { min: 0, max: 1, whole: false });
    const wholeShare = numberOption('--whole', values.whole ?? '0.5', { min: 0, max: 1, whole: false });
    const seed = numberOption('--seed', values.seed ?? String(Date.now() % 2 ** 32), { min: 0, max: 4_294_967_295 });
    const environment = readEnvironment(context).values;
    const url = values.url ?? environment.INGEST_URL ?? 'http://127.0.0.1:4001';
    const keyOf = await keysFor(values.key, environment, context);
    // One key may be a page's, which may not say more of orders.
    const later = values.key === undefined;

    const { signal, release } = interruption();
    const ledger = createLedger();
    const sender = createSender({ url, keyOf, ledger, connections, giveUpMs, signal });
    const progress = showProgress(ledger, seconds, process.stderr);
    const ended = AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000)]);
    try {
      const visits = { seed, badShare, later, wholeShare, pace: HURRIED };
      await play({ ...schedule(rate, visits), sender, batchEvents, connections, signal: ended });
    } finally {
      progress.stop();
      sender.close();
      release();
    }
    const result = resultOf(ledger);
    context.out(values.json ? `${JSON.stringify(result)}\n` : text(ledger, result));
    return ledger.counts.surprising + ledger.counts.unknown === 0 ? EXIT.done : EXIT.failed;
  },
});

async function keysFor(
  key: string | undefined,
  environment: Record<string, string | undefined>,
  { now }: Context,
): Promise<ShopAccess['keyOf']> {
  if (key !== undefined) return () => key;
  const access = await grantAccess({
    nats: readConfig(NATS_SETTINGS, environment),
    replicas: Number(environment.NATS_REPLICAS || 1),
    shops: SHOPS,
    label: 'load',
    expiresAt: new Date(now() + DAY_MS),
  });
  return access.keyOf;
}

/**
 * Simulated times of a play.
 *
 * At a given rate, events happen as they are sent. As fast as possible, they happened in the last day, so that
 * simulated time can run ahead.
 */
function schedule(rate: number, visits: Visits): Pick<PlayOptions, 'events' | 'clock'> {
  const nowMs = Date.now();
  if (rate === 0) return { events: allDays(visits, nowMs) };
  const events = simulate({ ...visits, startMs: nowMs, untilMs: Infinity, eventsPerSecond: rate });
  return { events, clock: { startMs: nowMs, speed: 1 } };
}

type Visits = Pick<SimulationOptions, 'seed' | 'badShare' | 'later' | 'wholeShare' | 'pace'>;

function* allDays({ seed, ...visits }: Visits, nowMs: number): Generator<ShopEvent> {
  for (let day = 0; ; day++) {
    const times = { startMs: nowMs - DAY_MS, untilMs: nowMs };
    yield* simulate({ seed: (seed + day) % 2 ** 32, ...visits, ...times, eventsPerSecond: 1_000 });
  }
}

interface LoadResult {
  sent: number;
  accepted: number;
  rejected: number;
  unexpectedVerdicts: number;
  givenUp: number;
  posts: number;
  resends: number;
  seconds: number;
  eventsPerSecond: number;
  latencyMs: { p50: number; p99: number; p999: number };
}

function resultOf({ counts, latencies, firstMs = 0, lastMs = 0 }: Ledger): LoadResult {
  const seconds = (lastMs - firstMs) / 1000;
  const latency = (q: number): number => Math.round((latencies.quantile(q) ?? 0) * 100) / 100;
  return {
    sent: counts.sent,
    accepted: counts.accepted,
    rejected: counts.refused,
    unexpectedVerdicts: counts.surprising,
    givenUp: counts.unknown,
    posts: counts.posts,
    resends: counts.resends,
    seconds,
    eventsPerSecond: Math.round(counts.accepted / Math.max(seconds, 0.001)),
    latencyMs: { p50: latency(0.5), p99: latency(0.99), p999: latency(0.999) },
  };
}

function text({ surprises, failures }: Ledger, result: LoadResult): string {
  const { latencyMs, ...counts } = result;
  const rows: [string, string][] = [
    ...Object.entries(counts).map(([name, value]): [string, string] => [name, number(value)]),
    ['latency p50, p99, p99.9', `${latencyMs.p50}, ${latencyMs.p99}, ${latencyMs.p999} ms`],
  ];
  const faults = [
    ...[...failures].map(([reason, times]) => `given up ${times} ×: ${reason}`),
    ...surprises
      .slice(0, 5)
      .map(({ eventId, expected, got, message }) => `${eventId}: ${got} instead of ${expected}: ${message}`),
  ];
  return `${formatTable(['figure', 'value'], rows)}${faults.map((fault) => `${fault}\n`).join('')}`;
}

await runAsProcess('load', load);
