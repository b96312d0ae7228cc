import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createUuid7 } from '../../src/uuid7.ts';
import { timeOfUuid7 } from '../support/uuid7Time.ts';

const NOW = Date.UTC(2026, 10, 23, 10);
const draw32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });

test('has the form of RFC 9562 version 7 and carries its time', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 45 }), draw32, (ms, draw) => {
      const id = createUuid7(() => draw / 2 ** 32)(ms);
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(timeOfUuid7(id)).toBe(Math.max(ms, 0));
    }),
  );
});

test('sorts in the order made, whatever the clock does, and never repeats', () => {
  const times = fc.array(fc.integer({ min: NOW - 1000, max: NOW + 1000 }), { minLength: 2, maxLength: 600 });
  fc.assert(
    fc.property(times, (readings) => {
      const newId = createUuid7(Math.random);
      const ids = readings.map(newId);
      expect(ids.toSorted()).toEqual(ids);
      expect(new Set(ids).size).toBe(ids.length);
    }),
  );
});

test('more than 256 in a millisecond borrow the next ones', () => {
  const newId = createUuid7(Math.random);
  const ids = Array.from({ length: 1000 }, () => newId(NOW));
  expect(ids.toSorted()).toEqual(ids);
  expect(timeOfUuid7(ids.at(-1)!)).toBe(NOW + 3);
});
