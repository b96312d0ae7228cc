import { beforeEach, expect, test } from 'vitest';
import { createDecisions } from '../../../scripts/chaos/decisions.ts';
import { acceptedLosses, findFaults } from '../../../scripts/chaos/verify.ts';
import { formatReceipt } from '../../../schemas/receipt.ts';
import { streamName } from '../../../schemas/subjects.ts';

const TENANT = 'shop-a';
const CREATED = '2026-11-30T10:00:00.000Z';
const HEARD_MS = Date.parse('2026-11-30T12:00:00Z');
const receiptId = formatReceipt({ epoch: Date.parse(CREATED), shard: 2, sequence: 71, batch: 0 });

const answers = {
  accepted: new Map([
    ['good', { tenantId: TENANT, receiptId }],
    ['other', { tenantId: 'shop-b', receiptId }],
  ]),
  refusedIds: new Map([['bad', { tenantId: TENANT, code: 'field_missing' as const, heardMs: HEARD_MS }]]),
  unknownIds: new Map([['maybe', TENANT]]),
  sentIds: new Map([
    ['good', TENANT],
    ['other', 'shop-b'],
    ['bad', TENANT],
    ['maybe', TENANT],
    ['bad-unanswered', TENANT],
  ]),
  badIds: new Map([
    ['bad', 'field_missing'],
    ['bad-unanswered', 'field_missing'],
  ]),
  visitorOf: new Map([['good', { anonymousId: 'a-1' }]]),
  lastAcknowledgedMs: new Map([['good', HEARD_MS]]),
};
let decisions: ReturnType<typeof createDecisions>;
let ledger: typeof answers & typeof decisions;

beforeEach(() => {
  decisions = createDecisions(answers);
  ledger = { ...answers, ...decisions };
});

function found(
  events: Record<string, number>,
  quarantine: Record<string, number> = { bad: 1 },
  strangers: string[] = [],
) {
  const rows = { events: new Map(Object.entries(events)), quarantine: new Map(Object.entries(quarantine)), strangers };
  return findFaults(TENANT, ledger, rows, 'a reader').map(({ kind, eventId }) => `${kind} ${eventId}`);
}

test('acknowledged once, refused in the quarantine: nothing to say', () => {
  expect(found({ good: 1 })).toEqual([]);
});

test('an event whose answer never came may be stored once', () => {
  expect(found({ good: 1, maybe: 1 })).toEqual([]);
  expect(found({ good: 1, maybe: 2 })).toEqual(['duplicated maybe']);
});

test('an acknowledged event in no row is lost; its receipt is named', () => {
  expect(found({})).toEqual(['lost good']);
  const rows = { events: new Map(), quarantine: new Map([['bad', 1]]), strangers: [] };
  expect(findFaults(TENANT, ledger, rows, 'a reader')[0]).toMatchObject({ receiptId, reader: 'a reader' });
});

test('a refused event that is not in the quarantine is lost', () => {
  expect(found({ good: 1 }, {})).toEqual(['lost bad']);
});

test('an event in two rows is duplicated', () => {
  expect(found({ good: 2 })).toEqual(['duplicated good']);
});

test('a refused event in events is found, also when its sender never heard of the refusal', () => {
  expect(found({ good: 1, bad: 1 })).toEqual(['rejectedStored bad']);
  expect(found({ good: 1, 'bad-unanswered': 1 })).toEqual(['rejectedStored bad-unanswered']);
});

test("another tenant's event is found, wherever it lies", () => {
  expect(found({ good: 1, other: 1 })).toEqual(['wrongTenant other']);
  expect(found({ good: 1, 'never-sent': 1 })).toEqual(['wrongTenant never-sent']);
  expect(found({ good: 1 }, { bad: 1, other: 1 })).toEqual(['wrongTenant other']);
  expect(found({ good: 1 }, { bad: 1 }, ['good'])).toEqual(['wrongTenant good']);
});

test('an event of an erased person may be missing, and is forgotten once it must be', () => {
  decisions.ofVisitor(TENANT, { anonymousId: 'a-1' }, 'either');
  expect([found({}), found({ good: 1 })]).toEqual([[], []]);
  decisions.ofVisitor(TENANT, { anonymousId: 'a-1' }, 'absent');
  expect([found({}), found({ good: 1 })]).toEqual([[], ['forgotten good']]);
  decisions.ofVisitor('shop-b', { anonymousId: 'a-2' }, 'absent');
  expect(found({ good: 2 })).toEqual(['forgotten good', 'duplicated good']);
});

test('an expired event must be gone, and an undo brings it back', () => {
  decisions.ofEvents(['good'], 'absent');
  expect([found({}), found({ good: 1 })]).toEqual([[], ['forgotten good']]);
  decisions.ofEvents(['good'], undefined);
  expect([found({}), found({ good: 1 })]).toEqual([['lost good'], []]);
});

test('a redriven event must be in events as well', () => {
  decisions.ofCode(TENANT, 'field_missing', 'either');
  expect([found({ good: 1, bad: 1, 'bad-unanswered': 1 }), found({ good: 1 })]).toEqual([[], []]);
  decisions.ofEvents(['bad'], 'present');
  expect(found({ good: 1 })).toEqual(['lost bad']);
  expect(found({ good: 1, bad: 2 })).toEqual(['duplicated bad']);
});

test('an accepted loss is counted apart, and covers nothing else', () => {
  const loss = { stream: streamName(2), created: CREATED, after: 70, last: 71, at: CREATED };
  const times = { copiedMs: HEARD_MS - 1_000, returnedMs: HEARD_MS + 1_000 };
  const rows = { events: new Map<string, number>() };
  for (const other of [{ stream: streamName(1) }, { created: '2026-11-30T11:00:00Z' }, { after: 71 }, { last: 70 }])
    decisions.acceptLoss({ ...times, known: { ...loss, ...other } });
  decisions.acceptLoss({ ...times, returnedMs: HEARD_MS - 1, known: loss });
  decisions.acceptLoss({ ...times, copiedMs: HEARD_MS + 1 });
  expect([found({}), acceptedLosses(TENANT, ledger, rows)]).toEqual([['lost good'], []]);
  decisions.acceptLoss({ ...times, known: loss });
  expect([found({}, {}), acceptedLosses(TENANT, ledger, rows)]).toEqual([[], ['good']]);
  expect(acceptedLosses(TENANT, ledger, { events: new Map([['good', 1]]) })).toEqual([]);
});
