import { expect, test } from 'vitest';
import { findFaults } from '../../../scripts/chaos/verify.ts';

const TENANT = 'shop-a';
const receiptId = 'mgq3x0-2-1z-0';

const ledger = {
  accepted: new Map([
    ['good', { tenantId: TENANT, receiptId }],
    ['other', { tenantId: 'shop-b', receiptId }],
  ]),
  refusedIds: new Map([['bad', { tenantId: TENANT, code: 'field_missing' as const }]]),
  unknownIds: new Map([['maybe', TENANT]]),
  sentIds: new Map([
    ['good', TENANT],
    ['other', 'shop-b'],
    ['bad', TENANT],
    ['maybe', TENANT],
    ['bad-unanswered', TENANT],
  ]),
};

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
