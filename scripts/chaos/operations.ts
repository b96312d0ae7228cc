import { DAY_MS, HOUR_MS, utcDay } from '../../runtime/units.ts';
import type { ShopEvent } from '../shop/session.ts';
import type { Shop } from '../shop/shops.ts';
import { runCompaction } from './compaction.ts';
import { ended, type ChaosContext, type Injected } from './context.ts';
import type { Chore } from './fault.ts';
import type { ChaosLedger, Visitor } from './ledgerFile.ts';

/** Age of the events that expire: accepted by a receiver, and beyond the days to keep. */
const OLD_DAYS = 20;
const KEPT_DAYS = 10;
const OLD_EVENTS = 6;
/** Code of the rejected events that are redriven, and the fix. */
const REDRIVEN = { code: 'field_unknown', fix: '[{"op":"remove","path":"/colour"}]', limit: 50 };
/** Longer than a flush takes from its upload to its commit; a flush that takes longer conflicts. */
const VACUUM_GRACE_MS = 4_000;

/** Does an operator's work beside the load, and repeats what faults interrupt. */
export async function operate(operation: Chore, context: ChaosContext): Promise<Injected> {
  const [first, second, third, fourth] = context.shops;
  switch (operation) {
    case 'erase':
      return erase(first!, context);
    case 'retention':
      return expire(second!, context, { undo: false });
    case 'retention and undo':
      return expire(fourth!, context, { undo: true });
    case 'replay':
      return replay(first!, context);
    case 'redrive':
      return redrive(third!, context);
    case 'compact and vacuum':
      return compactAndVacuum(context);
  }
}

/** Erases the visitor with the most events. */
async function erase({ tenantId }: Shop, { ledger, decisions, operator }: ChaosContext): Promise<Injected> {
  const visitor = mostActive(tenantId, ledger);
  if (!visitor) return { ran: false, why: `${tenantId} has no visitor yet` };
  const { anonymousId, userId } = visitor;
  decisions.ofVisitor(tenantId, visitor, 'either');
  const user = userId === undefined ? [] : ['--user', userId];
  const who = ['--tenant', tenantId, '--anonymous', anonymousId, ...user];
  await operator.untilDone(['erase', ...who, '--allow-missing', '--by', 'chaos']);
  return ended({ afterCommit: async () => decisions.ofVisitor(tenantId, visitor, 'absent') });
}

function mostActive(tenantId: string, { sentIds, visitorOf }: ChaosLedger): Visitor | undefined {
  const counts = new Map<string, { visitor: Visitor; events: number }>();
  for (const [eventId, visitor] of visitorOf) {
    if (sentIds.get(eventId) !== tenantId) continue;
    const { events } = counts.get(visitor.anonymousId) ?? { events: 0 };
    counts.set(visitor.anonymousId, { visitor, events: events + 1 });
  }
  return [...counts.values()].sort((a, b) => b.events - a.events)[0]?.visitor;
}

/** Lets old events expire that come in beside the load; with an undo, they come back. */
async function expire(shop: Shop, context: ChaosContext, { undo }: { undo: boolean }): Promise<Injected> {
  const { decisions, operator, send } = context;
  const { tenantId } = shop;
  const events = oldEvents(shop);
  const ids = events.map(({ eventId }) => eventId!);
  decisions.ofEvents(ids, 'either');
  await send({ tenantId, segmentId: events[0]!.segmentId, events });
  const tenant = ['--tenant', tenantId];
  await operator.untilDone(['retention', 'set', ...tenant, '--days', String(KEPT_DAYS)]);
  await operator.untilDone(['compact', ...tenant]);
  if (!undo) {
    const expireRest = async (): Promise<void> => {
      await operator.untilDone(['compact', ...tenant]);
      decisions.ofEvents(ids, 'absent');
    };
    return ended({ afterCommit: expireRest });
  }
  const undone = (await operator.untilDone(['retention', 'undo', ...tenant])) as { tables: { gone: string[] }[] };
  // A vacuum beside it may have deleted the files, and the command says so.
  const isGone = undone.tables.some(({ gone }) => gone.length > 0);
  return ended({ afterCommit: async () => (isGone ? undefined : decisions.ofEvents(ids, undefined)) });
}

/** Events of a day that a receiver still takes. */
function oldEvents({ tenantId, segments }: Shop): ShopEvent[] {
  const { segmentId } = segments[0]!;
  const atMs = Date.now() - OLD_DAYS * DAY_MS;
  return Array.from({ length: OLD_EVENTS }, (_, index) => {
    const eventId = crypto.randomUUID();
    const timestamp = new Date(atMs + index).toISOString();
    const json = JSON.stringify({ eventId, type: 'Search', timestamp, sessionId: 'old', phrase: 'x', resultsCount: 1 });
    return {
      tenantId,
      segmentId,
      atMs,
      eventId,
      type: 'Search',
      json,
      expected: 'accepted',
      truth: { kind: 'search' },
    };
  });
}

/** Compares the days around today with the stream, and swaps those that differ. */
async function replay({ tenantId }: Shop, { operator }: ChaosContext): Promise<Injected> {
  const [from, to] = [-1, 1].map((days) => utcDay(Date.now() + days * DAY_MS));
  const { code, stderr } = await operator.spor([
    'replay',
    '--tenant',
    tenantId,
    '--from',
    from!,
    '--to',
    to!,
    '--json',
  ]);
  // Whoever reads it meets faults, and streams that were emptied lack what the lake has: nothing is swapped then.
  return code === 0 ? ended() : { ran: false, why: stderr.trimEnd().split('\n').at(-1) ?? '' };
}

interface RedriveAnswer {
  events: { eventId: string | null; outcome: string }[];
}

/** Redrives rejected events, with a fix. */
async function redrive({ tenantId }: Shop, { decisions, operator }: ChaosContext): Promise<Injected> {
  const { code, fix, limit } = REDRIVEN;
  decisions.ofCode(tenantId, code, 'either');
  const command = [
    'quarantine',
    'redrive',
    '--tenant',
    tenantId,
    '--code',
    code,
    '--fix',
    fix,
    '--limit',
    String(limit),
  ];
  const again = async (): Promise<void> => {
    const { events } = (await operator.untilDone(command)) as RedriveAnswer;
    const stored = events.filter(({ outcome }) => ['redriven', 'redrivenBefore', 'storedAlready'].includes(outcome));
    decisions.ofEvents(
      stored.flatMap(({ eventId }) => eventId ?? []),
      'present',
    );
  };
  await again();
  return ended({ afterCommit: again });
}

async function compactAndVacuum(context: ChaosContext): Promise<Injected> {
  const tenants = context.shops.flatMap(({ tenantId }) => ['--tenant', tenantId]);
  await runCompaction({}, context);
  const grace = String(VACUUM_GRACE_MS / HOUR_MS);
  await context.operator.untilDone(['vacuum', ...tenants, '--grace-hours', grace, '--force']);
  return ended();
}

/** The negative control of the clocks: what Spor refuses to do. */
export function expireByWrongClock(byMs: number, context: ChaosContext): Injected {
  return ended({ afterCommit: async () => void (await runCompaction({ byMs }, context)) });
}
