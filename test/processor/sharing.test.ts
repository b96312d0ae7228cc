import fc from 'fast-check';
import { expect, test } from 'vitest';
import { planSharing } from '../../processor/shards/sharing.ts';

test('a processor alone takes every free shard', () => {
  expect(planSharing({ me: 'a', processors: ['a'], holders: [undefined, undefined, undefined] })).toEqual({
    acquire: [0, 1, 2],
    release: [],
  });
});

test('who holds too many gives up, who holds too few waits for it', () => {
  const holders = ['a', 'a', 'a', 'a', 'a'];
  expect(planSharing({ me: 'a', processors: ['a', 'b'], holders })).toEqual({ acquire: [], release: [3, 4] });
  expect(planSharing({ me: 'b', processors: ['a', 'b'], holders })).toEqual({ acquire: [], release: [] });
});

test('the odd shard stays where it is', () => {
  const holders = ['b', 'b', 'a'];
  for (const me of ['a', 'b']) expect(planSharing({ me, processors: ['a', 'b'], holders }).release).toEqual([]);
});

test('shards of a processor that is gone and still holds its leases are left until they run out', () => {
  expect(planSharing({ me: 'b', processors: ['b'], holders: ['gone', undefined] })).toEqual({
    acquire: [1],
    release: [],
  });
});

test('from any beginning, processors that act on the same view soon share fairly and then rest', () => {
  const ids = ['a', 'b', 'c', 'd', 'e'];
  const holder = fc.option(fc.constantFrom(...ids, 'gone'), { nil: undefined });
  fc.assert(
    fc.property(
      fc.array(holder, { minLength: 1, maxLength: 24 }),
      fc.subarray(ids, { minLength: 1 }),
      (start, processors) => {
        // Leases of the dead run out before long.
        const holders = start.map((one) => (one !== undefined && processors.includes(one) ? one : undefined));
        for (let round = 0; round < 4; round++) {
          const plans = processors.map((me) => ({ me, ...planSharing({ me, processors, holders }) }));
          for (const { me, release } of plans)
            for (const shard of release) if (holders[shard] === me) holders[shard] = undefined;
          // All race for what they want; the lease lets the first have it.
          for (const { me, acquire } of plans) for (const shard of acquire) holders[shard] ??= me;
        }
        const counts = processors.map((id) => holders.filter((one) => one === id).length);
        expect(holders).not.toContain(undefined);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        for (const me of processors)
          expect(planSharing({ me, processors, holders })).toEqual({ acquire: [], release: [] });
      },
    ),
  );
});
