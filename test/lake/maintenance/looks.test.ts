import { expect, test } from 'vitest';
import { NO_LOOK, nextLookMs, noteLook, type TableLook } from '../../../lake/maintenance/looks.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

test('an unknown table is looked at at once, a busy one again at once', () => {
  expect(nextLookMs(NO_LOOK, -1)).toBe(-Infinity);
  const busy = noteLook(NO_LOOK, { atMs: 0, version: 40, isBusy: true });
  expect(nextLookMs(busy, 40)).toBe(0);
});

test('a table is looked at by its commits', () => {
  const last = noteLook(NO_LOOK, { atMs: 0, version: 40, isBusy: false });
  expect(nextLookMs(last, 40 + 16)).toBe(30_000);
  expect(nextLookMs(last, 40 + 15)).toBe(15 * MINUTE);
  const quiet: TableLook = { ...last, everyMs: 6 * HOUR };
  expect(nextLookMs(quiet, 41), 'one commit after a long silence').toBe(15 * MINUTE);
  expect(nextLookMs(quiet, 40)).toBe(6 * HOUR);
});

test('an idle table costs seven looks a day at first, and four later', () => {
  const looksOfDay: number[] = [];
  let look = noteLook(NO_LOOK, { atMs: 0, version: 3, isBusy: false });
  for (let day = 1; day <= 2; day++) {
    let looks = 0;
    for (; nextLookMs(look, 3) < day * 24 * HOUR; looks++)
      look = noteLook(look, { atMs: nextLookMs(look, 3), version: 3, isBusy: false });
    looksOfDay.push(looks);
  }
  expect(looksOfDay).toEqual([7, 4]);
});
