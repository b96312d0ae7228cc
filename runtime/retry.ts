export interface Backoff {
  firstMs: number;
  maxMs: number;
  attempts: number;
}

/** Wait before retry `attempt` (from 0): exponential with full jitter, after the AWS Architecture Blog's "Exponential Backoff And Jitter". */
export function backoffMs(
  attempt: number,
  { firstMs, maxMs }: Pick<Backoff, 'firstMs' | 'maxMs'>,
  random: () => number = Math.random,
): number {
  return random() * Math.min(maxMs, firstMs * 2 ** attempt);
}

/**
 * Runs a task until it succeeds, its error is not retryable, or the attempts are used up; then throws the last error. For
 * tasks that may safely run twice only.
 */
export async function retry<T>(
  task: () => Promise<T>,
  backoff: Backoff,
  options: {
    retryable?: (error: unknown) => boolean;
    onRetry?: (error: unknown, attempt: number) => void;
    signal?: AbortSignal;
  } = {},
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await task();
    } catch (error) {
      const last = attempt + 1 >= backoff.attempts;
      if (last || options.signal?.aborted || !(options.retryable?.(error) ?? true)) throw error;
      options.onRetry?.(error, attempt);
      await delay(backoffMs(attempt, backoff), options.signal);
    }
  }
}

/** Waits; an aborted signal ends the wait early, without an error. */
export function delay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
  });
}
