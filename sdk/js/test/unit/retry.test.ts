import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { REQUEST_ERRORS } from '../../../../schemas/errors.ts';
import { backoffMs, retryAfterMs, verdictOf } from '../../src/retry.ts';

const limits = { backoffBaseMs: 1000, backoffCapMs: 60_000, retryAfterCapMs: 600_000 };
const NOW = Date.UTC(2026, 10, 23, 10);

describe('verdict', () => {
  test.each(Object.entries(REQUEST_ERRORS))('%s agrees with the contract on resending', (_code, kind) => {
    // Nothing at this address, or nothing that takes POST: not yet, or a proxy's word. The events were never looked at.
    const elsewhere = kind.status === 404 || kind.status === 405;
    expect(verdictOf(kind.status) === 'retry').toBe(kind.retryable || elsewhere);
  });

  test.each([
    [202, 'done'],
    [200, 'retry'],
    [204, 'retry'],
    [304, 'retry'],
    [400, 'drop'],
    [401, 'stop'],
    [402, 'drop'],
    [403, 'stop'],
    [404, 'retry'],
    [408, 'retry'],
    [413, 'split'],
    [415, 'drop'],
    [422, 'drop'],
    [425, 'retry'],
    [429, 'retry'],
    [500, 'retry'],
    [503, 'retry'],
    [599, 'retry'],
    [0, 'retry'],
    [-1, 'retry'],
  ])('%i: %s', (status, verdict) => expect(verdictOf(status)).toBe(verdict));
});

describe('Retry-After', () => {
  test.each([
    ['seconds', '5', 5000],
    ['a fraction, as some send', '0.5', 500],
    ['an HTTP date', 'Mon, 23 Nov 2026 10:00:30 GMT', 30_000],
    ['capped', '86400', 600_000],
    ['a date gone by', 'Mon, 23 Nov 2026 09:00:00 GMT', 0],
    ['negative', '-5', 0],
    ['nonsense', 'soon', 0],
    ['empty', '', 0],
    ['absent', null, 0],
  ])('%s', (_name, header, expected) => {
    expect(retryAfterMs(header, NOW, 0, limits)).toBe(expected);
    expect(retryAfterMs(header, NOW, 0.999, limits)).toBeLessThanOrEqual(expected * 1.25);
  });
});

test('backoff lies between half and the whole of a doubling, capped time', () => {
  const draw = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2000 }), draw, (failures, random) => {
      const whole = Math.min(60_000, 1000 * 2 ** (failures - 1));
      const delay = backoffMs(failures, random, limits);
      expect(delay).toBeGreaterThanOrEqual(whole / 2);
      expect(delay).toBeLessThanOrEqual(whole);
    }),
  );
});
