import { grantAccess, type ShopAccess } from '../access.ts';
import { openStream } from '../../cli/stream.ts';
import { createLedger, type Ledger } from '../load/ledger.ts';
import { play } from '../load/player.ts';
import { createSender } from '../load/sender.ts';
import { createQueryClient, type RowsAnswer, type QueryClient } from '../queryClient.ts';
import { SHOPS } from '../shop/shops.ts';
import { simulate } from '../shop/simulation.ts';
import type { Stack } from '../stack/stack.ts';
import { allCommitted } from '../stack/committed.ts';
import { askSums, bookFaults, createBooks, type Books, type Sums } from './books.ts';
import { compareBare } from './bareRead.ts';
import { measureFreshness, type Freshness } from './freshness.ts';
import type { LakeFiles } from './lakeFiles.ts';
import { createLakeRows } from './lakeRows.ts';
import { showProgress } from '../load/progress.ts';
import { QUESTIONS, type Question } from './questions.ts';
import { compare, faultsOf, quarantineFaults, type IdComparison } from './verify.ts';

export interface DemoOptions {
  seconds: number;
  /** Mean events per second. */
  rate: number;
  seed: number;
  signal: AbortSignal;
  log: (line: string) => void;
}

/** State of the lake for one tenant. */
export interface TenantOutcome {
  tenantId: string;
  rowsByType: Map<string, number>;
  quarantined: Map<string, number>;
  /** Comparison with the query server's answers. */
  comparison: IdComparison;
  /** Comparison with a bare read of the files. */
  bareComparison: IdComparison;
}

/** Result of a demo. */
export interface DemoOutcome {
  ledger: Ledger;
  /** Token for use while the stack is kept running. */
  operatorToken: string;
  /** Time from the first POST to the last answer. */
  sendingSeconds: number;
  freshness: Pick<Freshness, 'measured' | 'unseen'>;
  tenants: TenantOutcome[];
  answers: { question: Question; byTenant: { tenantId: string; answer: RowsAnswer }[] }[];
  files: LakeFiles;
  /** One sentence per broken promise; empty for a good run. */
  faults: string[];
}

/** Simulated time of a play: some hours up to now, in some seconds. */
const SIMULATED_MS = 6 * 3_600_000;
/** Share of visits of shops that tell everything. */
const WHOLE_SHARE = 0.5;
const BATCH_EVENTS = 20;
const CONNECTIONS = 32;
const SETTLE_MS = 60_000;

/** Plays the shops against a running stack, and checks all events. */
export async function runDemo(stack: Stack, options: DemoOptions): Promise<DemoOutcome> {
  const { signal, log } = options;
  const replicas = Number(stack.env.NATS_REPLICAS ?? 1);
  const access = await grantAccess({ nats: stack.nats, replicas, shops: SHOPS, label: 'demo', operator: true });
  const client = createQueryClient(stack.queryUrl);
  const since = new Date();
  const ledger = createLedger();
  const books = createBooks();
  const before = await sumsOf(client, access);
  const freshness = measureFreshness({ client, tokenOf: access.tokenOf });
  try {
    await playShops(stack, access, { ledger, books, freshness }, options);
    signal.throwIfAborted();
    log('waiting until the lake has all events …');
    await freshness.settle(SETTLE_MS, signal);
  } finally {
    await freshness.stop();
  }
  signal.throwIfAborted();
  const tenants: Omit<TenantOutcome, 'bareComparison'>[] = [];
  const faults = [...sendingFaults(ledger, freshness), ...(await backlogFaults(stack, signal))];
  signal.throwIfAborted();
  for (const { tenantId } of SHOPS) {
    const rows = createLakeRows(client, access.tokenOf(tenantId), since);
    const refused = ledger.refused.get(tenantId) ?? new Map<string, number>();
    const comparison = compare(tenantId, ledger, await rows.eventIds());
    const quarantined = await rows.quarantined();
    faults.push(...faultsOf('the query server', comparison), ...quarantineFaults(tenantId, refused, quarantined));
    tenants.push({ tenantId, rowsByType: await rows.byType(), quarantined, comparison });
  }
  const after = await sumsOf(client, access);
  for (const [tenantId, sums] of after)
    faults.push(...bookFaults(tenantId, books.sums(tenantId), { before: before.get(tenantId)!, after: sums }));
  const answers = await ask(client, access);

  const tenantIds = tenants.map(({ tenantId }) => tenantId);
  const { files, comparisons } = await compareBare(stack, tenantIds, { ledger, since });
  const compared = tenants.map((tenant, index) => ({ ...tenant, bareComparison: comparisons[index]! }));
  for (const { bareComparison } of compared) faults.push(...faultsOf('a bare read_parquet', bareComparison));
  const sendingSeconds = ((ledger.lastMs ?? 0) - (ledger.firstMs ?? 0)) / 1000;
  return {
    ledger,
    operatorToken: access.operatorToken!,
    sendingSeconds,
    freshness,
    tenants: compared,
    answers,
    files,
    faults,
  };
}

async function playShops(
  stack: Stack,
  access: ShopAccess,
  { ledger, books, freshness }: { ledger: Ledger; books: Books; freshness: Freshness },
  { seconds, rate, seed, signal }: DemoOptions,
): Promise<void> {
  const sender = createSender({
    url: stack.ingestUrl,
    keyOf: access.keyOf,
    ledger,
    connections: CONNECTIONS,
    signal,
    onAccepted: (batch, answer, atMs) => {
      books.accepted(batch, answer);
      freshness.accepted(batch, atMs);
    },
  });
  const untilMs = Date.now();
  const startMs = untilMs - SIMULATED_MS;
  const speed = SIMULATED_MS / (seconds * 1000);
  const progress = showProgress(ledger, seconds, process.stderr);
  try {
    await play({
      events: simulate({ seed, startMs, untilMs, eventsPerSecond: rate / speed, later: true, wholeShare: WHOLE_SHARE }),
      sender,
      batchEvents: BATCH_EVENTS,
      connections: CONNECTIONS,
      clock: { startMs, speed },
      signal,
    });
  } finally {
    progress.stop();
    sender.close();
  }
}

/** Orders and refunds by tenant. */
async function sumsOf(client: QueryClient, access: ShopAccess): Promise<Map<string, Sums>> {
  const sums = new Map<string, Sums>();
  for (const { tenantId } of SHOPS) sums.set(tenantId, await askSums(client, access.tokenOf(tenantId)));
  return sums;
}

async function ask(client: QueryClient, access: ShopAccess): Promise<DemoOutcome['answers']> {
  const answers: DemoOutcome['answers'] = [];
  for (const question of QUESTIONS) {
    const byTenant: DemoOutcome['answers'][number]['byTenant'] = [];
    for (const { tenantId } of SHOPS) {
      byTenant.push({ tenantId, answer: await client.ask(access.tokenOf(tenantId), question.sql) });
    }
    answers.push({ question, byTenant });
  }
  return answers;
}

/** Faults of sending: answers that the simulation did not expect. */
function sendingFaults({ counts, surprises, failures }: Ledger, { unseen }: Freshness): string[] {
  const faults: string[] = [];
  const [first] = surprises;
  if (first) {
    faults.push(
      `${counts.surprising} events got another verdict than the simulation expects, for instance ${first.eventId ?? 'one without an id'}: ${first.got} instead of ${first.expected} (${first.message})`,
    );
  }
  if (counts.unknown > 0) {
    const reasons = [...failures].map(([reason, times]) => `${reason} × ${times}`).join(', ');
    faults.push(`${counts.unknown} events got no answer: ${reasons}`);
  }
  if (unseen > 0) faults.push(`${unseen} sampled events were not queryable within ${SETTLE_MS / 1000} s`);
  return faults;
}

/** Waits until all is committed, because files lack what live answers show; reports a timeout. */
async function backlogFaults(stack: Stack, signal: AbortSignal): Promise<string[]> {
  const connection = await openStream(stack.nats, 'NATS_URL');
  try {
    const backlog = await allCommitted(connection, { withinMs: SETTLE_MS, signal });
    if (backlog === undefined) return [];
    return [
      `not everything was committed within ${SETTLE_MS / 1000} s, so that the checks below miss events: ${backlog}`,
    ];
  } finally {
    await connection.close();
  }
}
