import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Window, type Stored, type WindowLimits } from '../../lake/window/window.ts';
import { commitAgeMs, type CommitPolicy } from '../../processor/shards/commitBudget.ts';
import { CommitQueue } from '../../processor/shards/commitQueue.ts';
import { holdsMuch } from '../../processor/shards/shardMaintenance.ts';
import { sourceOf, type StreamMessage } from '../../stream/message.ts';

const POLICY: CommitPolicy = { leastAgeMs: 100, mostAgeMs: 1_000, commitsPerSecond: 10, bytes: 50, heldBytes: 200 };
const LIMITS: WindowLimits = { bytes: 1e9, messages: 1e9, ageMs: 100 };
const NOTHING: Stored = { events: 0, quarantine: 0 };

/** A window that remembers its messages. No file is written. */
class KeptWindow extends Window {
  readonly kept: StreamMessage[] = [];

  override add(message: StreamMessage, stored: Stored, arrivedMs?: number): void {
    this.kept.push(message);
    super.add(message, stored, arrivedMs);
  }
}

function newQueue(policy: Partial<CommitPolicy> = {}): { queue: CommitQueue; windows: KeptWindow[] } {
  const windows: KeptWindow[] = [];
  const queue = new CommitQueue({
    policy: { ...POLICY, ...policy },
    start: { sequence: 7, timeMs: 7_000 },
    newWindow: () => {
      const window = new KeptWindow({ dir: '/nowhere', place: { shard: 0, shards: 4 }, epoch: 1, limits: LIMITS });
      windows.push(window);
      return window;
    },
    stored: () => NOTHING,
  });
  return { queue, windows };
}

function message(sequence: number, tenantId: string, bytes = 10): StreamMessage {
  const subject = `events.0.${tenantId}.web`;
  return { subject, sequence, timeMs: sequence * 1_000, data: new Uint8Array(bytes), format: '1' };
}

const sequences = (window: KeptWindow | undefined): number[] => window!.kept.map(({ sequence }) => sequence);

test('with more tenants each is committed less often, within the two limits', () => {
  expect([0, 1, 2, 5, 10, 1_000].map((tenants) => commitAgeMs(tenants, POLICY))).toEqual([
    100, 100, 200, 500, 1_000, 1_000,
  ]);
  expect(commitAgeMs(9, { ...POLICY, leastAgeMs: 5_000 })).toBe(5_000);
});

test('a tenant is due by age, together with those that nearly are', () => {
  const { queue, windows } = newQueue({ commitsPerSecond: 1_000 });
  queue.add(message(8, 'a'), 0);
  queue.add(message(9, 'b'), 20);
  queue.add(message(10, 'c'), 50);
  queue.add(message(11, 'a'), 60);
  expect(queue.leftMs(60)).toBe(40);
  queue.joinDue(99);
  expect(queue.window.empty).toBe(true);
  queue.joinDue(100);
  expect(sequences(windows[0])).toEqual([8, 11, 9]);
  expect(queue.window.leftMs(110), 'its age counts from the first arrival').toBe(0);
  queue.add(message(12, 'a'), 110);
  queue.add(message(13, 'c'), 110);
  expect(sequences(windows[0]), 'what comes for a tenant of the open window goes there').toEqual([8, 11, 9, 12]);
});

/** Plays tenants that send all the time; the age of each commit, and how many tenants each window has. */
function play(tenants: number, seconds: number): { agesMs: number[]; sizes: number[]; perSecond: number } {
  const { queue, windows } = newQueue({ bytes: 1e9, heldBytes: 1e9, mostAgeMs: 60_000 });
  const agesMs: number[] = [];
  const since = new Map<string, number>();
  let sequence = 8;
  for (let nowMs = 0; nowMs < seconds * 1_000; nowMs += 50) {
    for (let tenant = 0; tenant < tenants; tenant++) {
      const tenantId = `t${tenant}`;
      if (since.has(tenantId)) continue;
      since.set(tenantId, nowMs);
      queue.add(message(sequence++, tenantId, 1), nowMs);
    }
    queue.joinDue(nowMs);
    if (queue.window.empty) continue;
    for (const { tenantId } of (queue.handOver() as KeptWindow).kept.map(sourceOf)) {
      const sinceMs = since.get(tenantId);
      if (sinceMs === undefined) continue;
      if (nowMs > seconds * 500) agesMs.push(nowMs - sinceMs);
      since.delete(tenantId);
    }
    queue.windowCommitted();
  }
  const sizes = windows.slice(1, -1).map(({ kept }) => new Set(kept.map((own) => sourceOf(own).tenantId)).size);
  return { agesMs, sizes, perSecond: agesMs.length / (seconds / 2) };
}

test.each([
  { tenants: 1, ageMs: 100 },
  { tenants: 10, ageMs: 1_000 },
  { tenants: 200, ageMs: 20_000 },
])('of $tenants tenants that began together each is committed at $ageMs ms, one after the other', (of) => {
  const { agesMs, sizes, perSecond } = play(of.tenants, of.tenants > 100 ? 90 : 10);
  expect(perSecond).toBeLessThanOrEqual(POLICY.commitsPerSecond + 1);
  expect(Math.max(...agesMs)).toBeLessThanOrEqual(of.ageMs * 1.3 + 100);
  expect(Math.min(...agesMs)).toBeGreaterThanOrEqual(of.ageMs * 0.5);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(32);
});

test('so many tenants that some would pass the most age are committed faster', () => {
  expect(commitAgeMs(1_000, POLICY)).toBe(1_000);
  const { queue, windows } = newQueue({ bytes: 1e9, heldBytes: 1e9 });
  for (let tenant = 0; tenant < 100; tenant++) queue.add(message(8 + tenant, `t${tenant}`), tenant);
  queue.joinDue(1_050);
  expect(sequences(windows[0]).length).toBeGreaterThanOrEqual(51);
});

test('the position stands before the oldest message that waits, and says how many are committed above', () => {
  const { queue } = newQueue({ bytes: 20 });
  expect(queue.committed).toEqual({ sequence: 7, timeMs: 7_000 });
  queue.add(message(8, 'quick', 20), 0);
  queue.add(message(9, 'slow'), 0);
  queue.add(message(10, 'quick', 20), 0);
  queue.handOver();
  expect(queue.committed.sequence).toBe(7);
  queue.add(message(11, 'quick', 20), 0);
  queue.handOver();
  expect(queue.windowCommitted()).toEqual({ through: { sequence: 8, timeMs: 8_000 }, ahead: 1 });
  expect(queue.windowCommitted()).toEqual({ through: { sequence: 8, timeMs: 8_000 }, ahead: 2 });
  expect(queue.uncommitted).toMatchObject({ messages: 1, oldest: { storedMs: 9_000 } });
  queue.joinEverything();
  queue.handOver();
  expect(queue.windowCommitted()).toEqual({ through: { sequence: 11, timeMs: 11_000 }, ahead: 0 });
});

test('the heaviest tenants leave when all that waits takes too much memory', () => {
  const { queue, windows } = newQueue({ bytes: 1_000 });
  for (let sequence = 8; sequence < 14; sequence++) queue.add(message(sequence, 'heavy', 25), 0);
  for (let sequence = 14; sequence < 20; sequence++) queue.add(message(sequence, `light-${sequence}`, 10), 0);
  expect(sequences(windows[0])).toEqual([8, 9, 10, 11, 12, 13]);
});

test('a message that waits does not keep the packet it came in', () => {
  const { queue, windows } = newQueue();
  const packet = Buffer.alloc(65_536, 7);
  queue.add({ ...message(8, 'a'), data: packet.subarray(100, 110) }, 0);
  queue.joinEverything();
  expect(windows[0]!.kept[0]!.data.buffer.byteLength).toBe(10);
  expect([...windows[0]!.kept[0]!.data]).toEqual(Array(10).fill(7));
});

test('what waits for long is packed, and comes out as it came', () => {
  const { queue, windows } = newQueue({ bytes: 1e9, heldBytes: 1e9 });
  const sent = Array.from({ length: 200 }, (_, index) => message(8 + index, 'a', 1_000 + index));
  sent[3]!.data.fill(200);
  sent[4] = { ...sent[4]!, format: undefined, subject: 'quarantine.0.a.web' };
  for (const [index, one] of sent.entries()) queue.add(one, index * 100);
  queue.joinEverything();
  expect(windows[0]!.kept.map((kept) => ({ ...kept, data: [...kept.data] }))).toEqual(
    sent.map((one) => ({ ...one, data: [...one.data] })),
  );
});

test('whatever comes, waits and is committed: each message is in one window, in order, and none is passed over', () => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ tenant: fc.integer({ min: 0, max: 5 }), bytes: fc.integer({ min: 1, max: 60 }) }),
    },
    { weight: 2, arbitrary: fc.constantFrom('look', 'commit', 'hand over') },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const { queue, windows } = newQueue();
      const sent: StreamMessage[] = [];
      const flying: KeptWindow[] = [];
      const committed = new Set<number>();
      const handOver = (): void => {
        if (!queue.window.empty) flying.push(queue.handOver() as KeptWindow);
      };
      const commit = (): void => {
        const window = flying.shift();
        if (!window) return;
        for (const sequence of sequences(window)) committed.add(sequence);
        const { through, ahead } = queue.windowCommitted();
        const above = [...committed].filter((sequence) => sequence > through.sequence);
        expect(ahead).toBe(above.length);
        expect(sent.filter(({ sequence }) => sequence <= through.sequence && !committed.has(sequence))).toEqual([]);
      };
      let nowMs = 0;
      for (const one of steps) {
        nowMs += 40;
        if (one === 'look') queue.joinDue(nowMs);
        else if (one === 'hand over') handOver();
        else if (one === 'commit') commit();
        else {
          sent.push(message(8 + sent.length, `t${one.tenant}`, one.bytes));
          queue.add(sent.at(-1)!, nowMs);
        }
      }
      queue.joinEverything();
      handOver();
      while (flying.length > 0) commit();
      expect(committed.size).toBe(sent.length);
      expect(queue.committed.sequence).toBe(7 + sent.length);
      const all = windows.flatMap(({ kept }) => kept);
      expect(all.length).toBe(sent.length);
      for (const own of Map.groupBy(all, (kept) => sourceOf(kept).tenantId).values()) {
        const order = own.map(({ sequence }) => sequence);
        expect(order, 'a tenant is in stream order over its windows').toEqual(order.toSorted((a, b) => a - b));
      }
      // The position that a window's commit leaves in a table skips none of the tenant's later messages.
      for (const [at, { kept }] of windows.entries()) {
        const position = Math.max(0, ...kept.map(({ sequence }) => sequence));
        const tenants = new Set(kept.map((own) => sourceOf(own).tenantId));
        const later = windows.slice(at + 1).flatMap((window) => window.kept);
        const passed = later.filter((own) => tenants.has(sourceOf(own).tenantId) && own.sequence <= position);
        expect(sequences({ kept: passed } as KeptWindow)).toEqual([]);
      }
    }),
  );
});

test('a stream that fills up with uncommitted messages is noticed', () => {
  const info = (bytes: number, max_bytes = 1_000) =>
    ({ config: { max_bytes }, state: { bytes, messages: 100, last_seq: 200 } }) as Parameters<typeof holdsMuch>[0];
  expect(holdsMuch(info(500), 130)).toBe(true);
  expect(holdsMuch(info(500), 150)).toBe(false);
  expect(holdsMuch(info(500, -1), 100)).toBe(false);
});
