import { describe, expect, test } from 'vitest';
import { createSlots } from '../../../query/engine/slots.ts';

/** What has started, in order, once everything that can has. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('slots', () => {
  test('run up to their number, then in order of arrival, then refuse', async () => {
    const slots = createSlots({ concurrent: 2, queued: 2 });
    const started: string[] = [];
    const take = (tenant: string): Promise<() => void> =>
      slots.acquire(tenant).then((release) => {
        started.push(tenant);
        return release;
      });
    const a = await take('a');
    const b = await take('b');
    const c = take('c');
    const d = take('d');
    await expect(take('e')).rejects.toMatchObject({ code: 'too_many_queries', retryAfterSeconds: 2 });
    expect([slots.running, slots.waiting]).toEqual([2, 2]);
    b();
    b(); // twice is once
    await settled();
    expect(started).toEqual(['a', 'b', 'c']);
    a();
    (await c)();
    (await d)();
    expect([slots.running, slots.waiting]).toEqual([0, 0]);
    expect(started).toEqual(['a', 'b', 'c', 'd']);
  });

  test('one tenant leaves a slot to the others, who overtake it', async () => {
    const slots = createSlots({ concurrent: 2, queued: 5 });
    const first = await slots.acquire('greedy');
    let second = false;
    const waiting = slots.acquire('greedy').then((release) => {
      second = true;
      return release;
    });
    const other = await slots.acquire('other');
    await settled();
    expect(second).toBe(false);
    first();
    const release = await waiting;
    expect(second).toBe(true);
    other();
    release();
    expect(slots.running).toBe(0);
  });

  test('a single slot serves anyone', async () => {
    const slots = createSlots({ concurrent: 1, queued: 0 });
    const release = await slots.acquire('a');
    await expect(slots.acquire('b')).rejects.toMatchObject({ code: 'too_many_queries' });
    release();
    (await slots.acquire('a'))();
  });

  test('who goes away while waiting loses the place', async () => {
    const slots = createSlots({ concurrent: 1, queued: 2 });
    const release = await slots.acquire('a');
    const gone = new AbortController();
    const left = slots.acquire('b', gone.signal);
    const stays = slots.acquire('c');
    gone.abort();
    await expect(left).rejects.toMatchObject({ code: 'query_cancelled' });
    expect(slots.waiting).toBe(1);
    release();
    (await stays)();
    expect(slots.running).toBe(0);
  });
});
