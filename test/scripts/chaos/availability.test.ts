import { expect, test } from 'vitest';
import { availabilityOf, type Look } from '../../../scripts/chaos/availability.ts';

const looks = (text: string): Look[] =>
  text.split('').map((said, second) => ({
    fromMs: second * 1_000,
    untilMs: second * 1_000 + 500,
    accepted: said === 'a',
    serves: said === 'a' || said === 's',
    ready: said !== '.',
  }));

test.each([
  ['always accepted', 'aaaa', 0, 0],
  ['away, and it says so', 'aa...aa', 3.5, 0],
  ['away, and it says so at once no more', 'aarr.aa', 3.5, 2.5],
  ['away twice: the longest counts', 'a.a..aa', 2.5, 0],
  ['ready again without a 202', 'a..rra', 4.5, 2.5],
  ['one shard away, and it says that it is ready', 'aassaa', 2.5, 0],
  ['still away at the end', 'aa..', 1.5, 0],
])('%s', (_what, said, unavailableSecondsMax, staleReadySecondsMax) => {
  expect(availabilityOf(looks(said))).toEqual({ unavailableSecondsMax, staleReadySecondsMax });
});
