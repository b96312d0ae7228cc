import { expect, it } from 'vitest';
import { backoffMs, retry } from '../../runtime/retry.ts';

const quick = { firstMs: 1, maxMs: 2, attempts: 3 };

it('tries again until the task succeeds', async () => {
  let calls = 0;
  const retried: number[] = [];
  const task = (): Promise<string> => (++calls < 3 ? Promise.reject(new Error('not yet')) : Promise.resolve('done'));
  expect(await retry(task, quick, { onRetry: (_error, attempt) => retried.push(attempt) })).toBe('done');
  expect(retried).toEqual([0, 1]);
});

it('throws the last error when the attempts are used up', async () => {
  let calls = 0;
  await expect(retry(() => Promise.reject(new Error(`fault ${++calls}`)), quick)).rejects.toThrow('fault 3');
});

it('does not repeat what cannot succeed', async () => {
  let calls = 0;
  const task = (): Promise<never> => Promise.reject(new Error(`fault ${++calls}`));
  await expect(retry(task, quick, { retryable: () => false })).rejects.toThrow('fault 1');
});

it('grows the wait to its bound, with full jitter', () => {
  const backoff = { firstMs: 100, maxMs: 1000 };
  expect([0, 1, 2, 3, 4, 9].map((attempt) => backoffMs(attempt, backoff, () => 1))).toEqual([
    100, 200, 400, 800, 1000, 1000,
  ]);
  expect(backoffMs(3, backoff, () => 0)).toBe(0);
});
