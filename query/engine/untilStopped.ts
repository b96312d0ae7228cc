import { LakeError } from '../../lake/errors.ts';

/**
 * Waits for shared work as long as the caller does. The work goes on for others.
 * @param late takes a result that comes after the caller has stopped
 * @throws LakeError query_cancelled, query_timeout; errors of the work
 */
export async function untilStopped<T>(
  work: Promise<T>,
  { signal, timeoutMs }: { signal: AbortSignal | undefined; timeoutMs: number },
  late?: (result: T) => void,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const stopped = new Promise<never>((_, reject) => {
    const cancel = (): void => reject(new LakeError('query_cancelled', 'The query was cancelled.'));
    const message = `The query took longer than ${timeoutMs} ms and was stopped. Narrow it, for instance by date.`;
    timer = setTimeout(() => reject(new LakeError('query_timeout', message)), timeoutMs);
    if (signal?.aborted) cancel();
    signal?.addEventListener('abort', (onAbort = cancel));
  });
  let isOver = false;
  work.then((result) => isOver && late?.(result)).catch(() => undefined);
  try {
    return await Promise.race([work, stopped]);
  } catch (error) {
    isOver = true;
    throw error;
  } finally {
    clearTimeout(timer);
    if (onAbort) signal?.removeEventListener('abort', onAbort);
  }
}
