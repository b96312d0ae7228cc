import { Spool } from '../../../lake/window/spool.ts';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { StreamMessage } from '../../../stream/message.ts';
import type { ClosedWindow } from '../../../lake/window/closedWindow.ts';
import type { Window, WindowLimits } from '../../../lake/window/window.ts';
import { anEvent, type TestPost } from '../../support/messages.ts';
import { NOTHING_STORED, shopMessage, shopWindow } from '../../support/windows.ts';

let dir: string;
let windows = 0;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-window-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const newWindow = (limits?: WindowLimits): Window => shopWindow(join(dir, String(windows++)), limits);

const received = (sequence: number, posts: TestPost[], segment?: string): StreamMessage =>
  shopMessage(posts, { sequence, ...(segment ? { segment } : {}) });

async function linesOf(file: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(file, 'utf8');
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('batches are numbered through the window and lines keep every byte behind the number', async () => {
  const post = fc
    .integer({ min: 0, max: 5 })
    .map((events): TestPost => ({ events: Array.from({ length: events }, (_, index) => anEvent(index)) }));
  const messages = fc.array(fc.array(post, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(messages, async (sent) => {
      const window = newWindow();
      for (const [index, posts] of sent.entries()) window.add(received(index + 1, posts), NOTHING_STORED);
      const closed: ClosedWindow = await window.close();
      const batches = sent.flat();
      const expected = batches.flatMap(({ events }, b) => events.map((event, i) => ({ b, i, v: 1, ...event })));
      expect(await linesOf(closed.files.events)).toEqual(expected);
      expect(closed.lines.events).toBe(expected.length);
      expect((await linesOf(closed.files.batches)).map(({ b }) => b)).toEqual(batches.map((_, b) => b));
      expect(closed.tenants.get('shop')?.accepted).toBe(expected.length);
    }),
    { numRuns: 50 },
  );
});

test('what a table has already is left out, for each table by itself', async () => {
  const rejected = [{ index: 0, code: 'field_missing', path: '/x', message: 'm', raw: '{}' }];
  const window = newWindow();
  const message = (sequence: number): StreamMessage => received(sequence, [{ events: [anEvent(sequence)], rejected }]);
  window.add(message(5), { events: 5, quarantine: 5 });
  window.add(message(6), { events: 6, quarantine: 5 });
  window.add(message(7), { events: 6, quarantine: 7 });
  const closed = await window.close();
  expect([closed.span.firstSequence, closed.span.lastSequence, closed.span.messages]).toEqual([5, 7, 3]);
  const receipts = new Map(
    (await linesOf(closed.files.batches)).map(({ b, receipt_id }) => [b, String(receipt_id).split('-')[2]]),
  );
  expect((await linesOf(closed.files.events)).map(({ b }) => receipts.get(b))).toEqual(['7']);
  expect((await linesOf(closed.files.rejected)).map(({ b }) => receipts.get(b))).toEqual(['6']);
});

test('it is full by bytes or messages and due by age', () => {
  const byMessages = newWindow({ bytes: 1e9, messages: 2, ageMs: 1_000 });
  expect(byMessages.leftMs()).toBeUndefined();
  byMessages.add(received(1, [{ events: [anEvent(0)] }]), NOTHING_STORED);
  expect(byMessages.full).toBe(false);
  expect(byMessages.leftMs(performance.now() + 400)).toBeLessThanOrEqual(600);
  expect(byMessages.leftMs(performance.now() + 2_000)).toBe(0);
  byMessages.add(received(2, [{ events: [anEvent(0)] }]), NOTHING_STORED);
  expect(byMessages.full).toBe(true);
  const byBytes = newWindow({ bytes: 100, messages: 1e9, ageMs: 1_000 });
  byBytes.add(received(1, [{ events: [anEvent(0)] }]), NOTHING_STORED);
  expect(byBytes.full).toBe(true);
});

test('with many segments it takes in proportion more, up to four times as much', () => {
  const bytesUntilFull = (segments: number): number => {
    const window = newWindow({ bytes: 100_000, messages: 1e9, ageMs: 1_000 });
    let bytes = 0;
    for (let sequence = 1; !window.full; sequence++) {
      const message = received(sequence, [{ events: [anEvent(0)] }], `segment-${sequence % segments}`);
      window.add(message, NOTHING_STORED);
      bytes += message.data.length;
    }
    return Math.floor(bytes / 100_000);
  };
  expect([1, 16, 32, 64, 200].map(bytesUntilFull)).toEqual([1, 1, 2, 4, 4]);
});

test('whatever bytes a message holds, it is stored or kept whole, and the messages around it are as they were', async () => {
  const good = received(1, [{ events: [anEvent(0), anEvent(1)] }]);
  const damage = fc.record({
    at: fc.nat(good.data.length - 1),
    bytes: fc.uint8Array({ maxLength: 4 }),
    cut: fc.nat(40),
  });
  await fc.assert(
    fc.asyncProperty(damage, async ({ at, bytes, cut }) => {
      const data = Buffer.concat([good.data.subarray(0, at), bytes, good.data.subarray(at + cut)]);
      const window = newWindow();
      window.add({ ...good, sequence: 1 }, NOTHING_STORED);
      window.add({ ...good, sequence: 2, data: new Uint8Array(data) }, NOTHING_STORED);
      window.add({ ...good, sequence: 3 }, NOTHING_STORED);
      const closed = await window.close();
      const lines = (await readFile(closed.files.events, 'utf8')).split('\n').filter(Boolean);
      const rejected = await linesOf(closed.files.rejected);
      expect(closed.lines.events).toBe(lines.length);
      expect(closed.lines.rejected).toBe(rejected.length);
      const behind = (line: string): string => line.replace(/^\{"b":\d+/, '');
      const original = Buffer.from(good.data).toString().split('\n').slice(1).filter(Boolean).map(behind);
      expect(lines.slice(0, 2).map(behind)).toEqual(original);
      expect(lines.slice(-2).map(behind)).toEqual(original);
      const malformed = rejected.find(({ code }) => code === 'message_malformed');
      const raw = typeof malformed?.raw === 'string' ? malformed.raw : '';
      const kept = raw.startsWith('base64:') ? Buffer.from(raw.slice(7), 'base64') : Buffer.from(raw);
      expect(malformed === undefined || (kept.equals(data) && lines.length === 4)).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test('a window whose closing failed half-way, for want of room, is closed again without losing what was finished', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'spor-test-spool-'));
  const spool = new Spool(join(dir, 'events.ndjson'));
  spool.appendJson({ b: 0 });
  await spool.close();
  await spool.close();
  expect(await readFile(spool.path, 'utf8')).toBe('{"b":0}\n');
  await rm(dir, { recursive: true });
});
