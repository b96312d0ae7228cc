export interface Backoff {
  firstMs: number;
  maxMs: number;
  attempts: number;
}

/**
 * Wait before retry `attempt`, counting from 0: exponential with full jitter.
 * See "Exponential Backoff And Jitter" in the AWS Architecture Blog.
 */
export function backoffMs(
  attempt: number,
  { firstMs, maxMs }: Pick<Backoff, 'firstMs' | 'maxMs'>,
  random: () => number = Math.random,
): number {
  return random() * Math.min(maxMs, firstMs * 2 ** attempt);
}

/**
 * Run a task until it succeeds, fails for good, or is out of attempts.
 * The last error is thrown. Only for tasks that may safely run twice.
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

/** Wait; an aborted signal ends the wait without an error. */
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
