import { describe, expect, test } from 'vitest';
import { createSlots, type Slots } from '../../../query/engine/slots.ts';

/** Starts and rejections of queries by tenant, in order, with the means to end each. */
function follow(slots: Slots) {
  const started: string[] = [];
  const rejected: string[] = [];
  const releases: (() => void)[] = [];
  const ask = (tenantId: string, tokenId = 'token', signal?: AbortSignal): void => {
    slots.acquire({ tenantId, tokenId }, signal).then(
      (release) => {
        started.push(tokenId === 'token' ? tenantId : tokenId);
        releases.push(release);
      },
      ({ code }: { code: string }) => rejected.push(`${tenantId} ${code}`),
    );
  };
  const endFirst = async (): Promise<void> => {
    releases.shift()?.();
    await settled();
  };
  return { started, rejected, ask, endFirst, releases };
}

/** What can start has started. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('slots', () => {
  test('run up to their number, the others wait, and a release counts once', async () => {
    const slots = createSlots({ concurrent: 2, queued: 2 });
    const { ask, started, releases, endFirst } = follow(slots);
    for (const tenant of ['a', 'b', 'c', 'd']) ask(tenant);
    await settled();
    expect([started, slots.running, slots.waiting]).toEqual([['a', 'b'], 2, 2]);
    releases[0]!();
    await endFirst();
    expect(started).toEqual(['a', 'b', 'c']);
    while (releases.length > 0) await endFirst();
    expect([started, slots.running, slots.waiting]).toEqual([['a', 'b', 'c', 'd'], 0, 0]);
  });

  test('three flooding tenants leave a fourth its place, and its turn after one query of each', async () => {
    const slots = createSlots({ concurrent: 3, queued: 16 });
    const { ask, started, rejected, endFirst } = follow(slots);
    for (let round = 0; round < 40; round++) for (const tenant of ['f1', 'f2', 'f3']) ask(tenant);
    await settled();
    expect(slots.waiting).toBe(16);
    ask('quiet');
    await settled();
    expect(rejected.filter((line) => !line.startsWith('f'))).toEqual([]);
    expect(slots.waiting).toBe(16);
    const before = started.length;
    for (let ended = 0; ended < 4; ended++) await endFirst();
    expect(started.slice(before)).toContain('quiet');
  });

  test('a tenant of many tokens has one share, and its tokens have equal parts of it', async () => {
    const slots = createSlots({ concurrent: 2, queued: 6 });
    const { ask, started, rejected, endFirst, releases } = follow(slots);
    for (let token = 0; token < 30; token++) ask('many', `t${token}`);
    for (let query = 0; query < 30; query++) ask('many', 'loud');
    ask('other', 'other');
    ask('other', 'other-2');
    ask('other', 'other-3');
    await settled();
    expect(rejected).not.toContain('other too_many_queries');
    while (releases.length > 0) await endFirst();
    expect(started.indexOf('other-3')).toBeLessThan(7);
    expect(started.filter((name) => name.startsWith('other'))).toHaveLength(3);
  });

  test('a quiet token is served beside a loud one of its tenant', async () => {
    const slots = createSlots({ concurrent: 2, queued: 4 });
    const { ask, started, rejected, endFirst } = follow(slots);
    for (let query = 0; query < 20; query++) ask('shop', 'loud');
    ask('shop', 'quiet');
    await settled();
    expect(rejected).toHaveLength(16);
    expect(slots.waiting).toBe(4);
    await endFirst();
    await endFirst();
    expect(started).toEqual(['loud', 'loud', 'quiet']);
  });

  test('who comes anew each time does not overtake who waits', async () => {
    const slots = createSlots({ concurrent: 1, queued: 8 });
    const { ask, started, endFirst } = follow(slots);
    ask('x');
    ask('patient');
    ask('y');
    await settled();
    for (let turn = 0; turn < 4; turn++) {
      ask(started.at(-1)!);
      await endFirst();
    }
    expect(started).toEqual(['x', 'patient', 'y', 'x', 'patient']);
  });

  test('the queue has a bound: one for each tenant, if that is more than its size', async () => {
    const slots = createSlots({ concurrent: 1, queued: 0 });
    const { ask, rejected } = follow(slots);
    for (let tenant = 0; tenant < 50; tenant++) for (let query = 0; query < 2; query++) ask(`t${tenant}`);
    await settled();
    expect([slots.running, slots.waiting]).toEqual([1, 49]);
    expect(rejected).toHaveLength(50);
    for (let tenant = 50; tenant < 2_000; tenant++) ask(`t${tenant}`);
    await settled();
    expect(slots.waiting).toBe(1_000);
  });

  test('one tenant leaves a slot to the others, who overtake it', async () => {
    const slots = createSlots({ concurrent: 2, queued: 5 });
    const { ask, started, endFirst } = follow(slots);
    ask('greedy');
    ask('greedy');
    ask('other');
    await settled();
    expect(started).toEqual(['greedy', 'other']);
    await endFirst();
    expect(started).toEqual(['greedy', 'other', 'greedy']);
  });

  test('who goes away while waiting loses the place', async () => {
    const slots = createSlots({ concurrent: 1, queued: 2 });
    const { ask, started, rejected, endFirst, releases } = follow(slots);
    const gone = new AbortController();
    ask('a');
    ask('b', 'token', gone.signal);
    ask('c');
    gone.abort();
    await settled();
    ask('d', 'token', gone.signal);
    await settled();
    expect(rejected).toEqual(['b query_cancelled', 'd query_cancelled']);
    expect(slots.waiting).toBe(1);
    while (releases.length > 0) await endFirst();
    expect([started, slots.running]).toEqual([['a', 'c'], 0]);
  });
});
