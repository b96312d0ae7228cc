import { expect, test } from 'vitest';
import { rangeText, splitText, verdict } from '../../console/views/experimentWords.ts';

const ROW = {
  variant: 'b',
  control: 'control',
  currency: null,
  compared_value: 0.034,
  difference: 0.005,
  difference_low: 0.001,
  difference_high: 0.009,
  certain: true,
  days_left: 0,
};

test('a certain difference is told with its range', () => {
  expect(verdict(ROW)).toBe(
    'b has more: 3.4% against 2.9% of control. The true difference is 0.1 points to 0.9 points more, in 19 of 20 such cases.',
  );
  const less = { ...ROW, compared_value: 0.02, difference: -0.01, difference_low: -0.015, difference_high: -0.005 };
  expect(verdict(less)).toContain(
    'b has less: 2.0% against 3.0% of control. The true difference is 0.5 points to 1.5 points less',
  );
});

test('what may be chance is told with the days that would tell', () => {
  const unsure = { ...ROW, certain: false, difference_low: -0.002, days_left: 12 };
  expect(verdict(unsure)).toBe(
    'b: no difference is proven, 3.4% against 2.9% of control. The true one may be 0.2 points less to 0.9 points more. A change by 5.0% shows in about 12 days.',
  );
  expect(verdict({ ...unsure, days_left: 0 })).toContain('A change by 5.0% would show by now.');
  expect(verdict({ ...unsure, days_left: null })).not.toContain('A change');
});

test('amounts are in their currency, and too few visitors are told', () => {
  const amounts = { ...ROW, currency: 'EUR', compared_value: 12, difference: 2, difference_low: 1, difference_high: 3 };
  expect(rangeText(amounts)).toBe('€1.00 to €3.00 more');
  expect(verdict({ ...amounts, difference_low: null, difference_high: null, certain: null })).toContain(
    'Too few visitors',
  );
  expect(verdict({ ...amounts, difference: null, difference_low: null })).toBe('b: nothing to compare yet.');
});

test('an unfair split is a warning, and visitors with two variants are told', () => {
  const row = { variant: 'control', visitors: 1204, mixed_visitors: 2, sample_ratio_off: false };
  expect(splitText([row, { ...row, variant: 'b', visitors: 1190 }])).toEqual({
    off: false,
    text: 'Visitors: control 1,204, b 1,190. 2 visitors saw two variants and are left out.',
  });
  expect(splitText([{ ...row, sample_ratio_off: true }]).off).toBe(true);
});
