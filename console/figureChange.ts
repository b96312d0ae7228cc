import { numberOf } from './format.ts';

/** How a figure differs from the period before. */
export interface FigureChange {
  /** Relative for counts and amounts (0.1 is 10 % more), a difference for shares (0.01 is one point more). */
  by: number;
  unit: 'percent' | 'points';
  /** Whether chance alone would seldom do it; undefined where that is not known. */
  sure: boolean | undefined;
}

/** Standard deviations that chance alone reaches in one of twenty comparisons. */
const SELDOM = 1.96;

/**
 * The change of a count of independent events.
 *
 * Its certainty: the difference of two Poisson counts has the variance of their sum.
 */
export function countChange(now: unknown, before: unknown): FigureChange | undefined {
  const [count, countBefore] = [numberOf(now), numberOf(before)];
  if (count === undefined || countBefore === undefined || countBefore === 0) return undefined;
  const z = (count - countBefore) / Math.sqrt(count + countBefore);
  return { by: count / countBefore - 1, unit: 'percent', sure: Math.abs(z) > SELDOM };
}

/** The change of an amount, whose spread a sum does not tell. */
export function amountChange(now: unknown, before: unknown): FigureChange | undefined {
  const [amount, amountBefore] = [numberOf(now), numberOf(before)];
  if (amount === undefined || amountBefore === undefined || amountBefore <= 0) return undefined;
  return { by: amount / amountBefore - 1, unit: 'percent', sure: undefined };
}

/**
 * The change of a share.
 *
 * Its certainty: two-proportion z test with pooled variance (NIST/SEMATECH e-Handbook, 7.3.3).
 * @param share between 0 and 1
 * @param of what it is a share of, a count
 */
export function shareChange(
  share: unknown,
  of: unknown,
  shareBefore: unknown,
  ofBefore: unknown,
): FigureChange | undefined {
  const [p, n, q, m] = [numberOf(share), numberOf(of), numberOf(shareBefore), numberOf(ofBefore)];
  if (p === undefined || n === undefined || q === undefined || m === undefined || n === 0 || m === 0) return undefined;
  const pooled = (p * n + q * m) / (n + m);
  const spread = Math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m));
  return { by: p - q, unit: 'points', sure: spread > 0 && Math.abs(p - q) / spread > SELDOM };
}
