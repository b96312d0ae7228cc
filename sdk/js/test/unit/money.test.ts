import { expect, test } from 'vitest';
import { roundNumbers } from '../../src/money.ts';

test('sums lose the noise of binary fractions, prices keep four decimals', () => {
  expect(roundNumbers({ total: 0.1 + 0.2, unitPrice: 100 / 3, position: 7, discount: -1.00004 })).toEqual({
    total: 0.3,
    unitPrice: 33.3333,
    position: 7,
    discount: -1,
  });
});

test('what is no number, and what lies deeper, stays as it is', () => {
  const properties = { score: 0.123456789 };
  expect(roundNumbers({ productId: 'SKU-1', properties })).toEqual({ productId: 'SKU-1', properties });
  expect(roundNumbers({ quantity: Number.NaN })).toEqual({ quantity: Number.NaN });
});

test('the given object is not touched', () => {
  const given = { total: 0.1 + 0.2 };
  roundNumbers(given);
  expect(given.total).toBe(0.1 + 0.2);
});
