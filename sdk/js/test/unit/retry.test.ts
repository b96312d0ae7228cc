import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { REQUEST_ERRORS } from '../../../../schemas/errors.ts';
import { backoffMs, DONE, DROP, RETRY, retryAfterMs, SILENCE, SPLIT, STOP, verdictOf } from '../../src/retry.ts';

const limits = { backoffBaseMs: 1000, backoffCapMs: 60_000, retryAfterCapMs: 600_000 };
const NOW = Date.UTC(2026, 10, 23, 10);

const STATUSES = Array.from({ length: 500 }, (_, index) => 100 + index);

describe('verdict', () => {
  /** Statuses whose answers say nothing about a batch: no such route, or a body that did not arrive. */
  const NOTHING = [404, 405, 408];
  /** Never an answer to a tracker: of another route, or of a parameter that it does not send. */
  const OTHER_ROUTES = ['metrics_token_wrong', 'parameter_invalid'];

  test.each(Object.entries(REQUEST_ERRORS).filter(([code]) => !OTHER_ROUTES.includes(code)))(
    '%s agrees with the contract on resending',
    (code, { status, retryable }) => {
      const expected = NOTHING.includes(status)
        ? SILENCE
        : retryable
          ? RETRY
          : ({ 401: STOP, 403: STOP, 413: SPLIT }[status as 401] ?? DROP);
      expect(verdictOf(status, { code })).toBe(expected);
    },
  );

  test.each([200, 202, 299])('%i with a receipt: done', (status) =>
    expect(verdictOf(status, { receiptId: 'mgq3x0-0-1-0' })).toBe(DONE),
  );

  test.each([
    { of: 'no JSON', body: {} },
    { of: 'a number as code', body: { code: 1020 as never } },
    { of: 'a word of others as code', body: { code: 'forbidden' } },
    { of: "WordPress's code", body: { code: 'rest_forbidden' } },
    { of: 'an empty receipt', body: { receiptId: '' } },
  ])('any status with $of keeps the events', ({ body }) => {
    for (const status of [...STATUSES, 0, -1]) expect([SILENCE, RETRY]).toContain(verdictOf(status, body));
  });
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
