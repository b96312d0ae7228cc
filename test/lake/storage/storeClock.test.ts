import { expect, test } from 'vitest';
import { StoreClock } from '../../../lake/storage/storeClock.ts';

const YEARS = 3_650 * 86_400_000;

test('the store is asked once a minute, and in between time goes on by itself', async () => {
  let at = 0;
  let asked = 0;
  const clock = new StoreClock(
    () => Promise.resolve(1_000_000 + at + 7 * asked++),
    () => at,
  );
  expect(await clock.now()).toBe(1_000_000);
  at = 59_999;
  expect([await clock.now(), asked]).toEqual([1_059_999, 1]);
  at = 60_000;
  expect([await clock.now(), await clock.now(), asked]).toEqual([1_060_007, 1_060_007, 2]);
});

test.each([YEARS, -YEARS])('a step of %d ms counts once it is confirmed, and a second of it never', async (stepMs) => {
  let at = 0;
  let offMs = 0;
  const clock = new StoreClock(
    () => Promise.resolve(1e12 + at + offMs),
    () => at,
  );
  await clock.now();
  at = 60_000;
  offMs = stepMs;
  expect(await clock.now()).toBe(1e12 + 60_000);
  offMs = 0;
  at = 61_500;
  expect(await clock.now()).toBe(1e12 + 61_500);
  // For good: the second reading confirms the first.
  at = 130_000;
  offMs = stepMs;
  expect(await clock.now()).toBe(1e12 + 130_000);
  at = 131_000;
  expect(await clock.now()).toBe(1e12 + 131_000 + stepMs);
});

test('a store that does not answer is asked again at the next call', async () => {
  let failing = true;
  const clock = new StoreClock(() => (failing ? Promise.reject(new Error('away')) : Promise.resolve(5)));
  await expect(clock.now()).rejects.toThrow('away');
  failing = false;
  expect(await clock.now()).toBeGreaterThanOrEqual(5);
});
