import { LakeError } from '../../lake/errors.ts';

export interface Slots {
  readonly running: number;
  readonly waiting: number;
  /**
   * Waits for a slot, which the caller must release.
   * @throws LakeError too_many_queries if the queue is full, query_cancelled if the signal aborts the wait
   */
  acquire(tenantId: string, signal?: AbortSignal): Promise<() => void>;
}

interface Waiter {
  tenantId: string;
  start: () => void;
}

/**
 * Bounds running queries and a queue in order of arrival.
 *
 * If there are several slots, one is always left for other tenants.
 */
export function createSlots({ concurrent, queued }: { concurrent: number; queued: number }): Slots {
  const waiters: Waiter[] = [];
  const byTenant = new Map<string, number>();
  const perTenant = Math.max(1, concurrent - 1);
  let running = 0;

  const start = (tenantId: string): void => {
    running++;
    byTenant.set(tenantId, (byTenant.get(tenantId) ?? 0) + 1);
  };
  const mayStart = (tenantId: string): boolean => running < concurrent && (byTenant.get(tenantId) ?? 0) < perTenant;
  const next = (): void => {
    for (;;) {
      const index = waiters.findIndex((waiter) => mayStart(waiter.tenantId));
      if (index < 0) return;
      waiters.splice(index, 1)[0]!.start();
    }
  };
  const releaser = (tenantId: string): (() => void) => {
    let released = false;
    return () => {
      if (released) return;
      released = true;
      running--;
      const left = (byTenant.get(tenantId) ?? 1) - 1;
      if (left === 0) byTenant.delete(tenantId);
      else byTenant.set(tenantId, left);
      next();
    };
  };

  return {
    get running() {
      return running;
    },
    get waiting() {
      return waiters.length;
    },
    acquire: (tenantId, signal) => {
      if (mayStart(tenantId)) {
        start(tenantId);
        return Promise.resolve(releaser(tenantId));
      }
      if (waiters.length >= queued) {
        const message = `${running} queries run and ${waiters.length} wait already. Send again in a moment.`;
        return Promise.reject(new LakeError('too_many_queries', message, { retryAfterSeconds: 2 }));
      }
      return new Promise((resolve, reject) => {
        const cancelled = (): void => {
          waiters.splice(waiters.indexOf(waiter), 1);
          reject(new LakeError('query_cancelled', 'The query was cancelled while it waited.'));
        };
        const waiter: Waiter = {
          tenantId,
          start: () => {
            signal?.removeEventListener('abort', cancelled);
            start(tenantId);
            resolve(releaser(tenantId));
          },
        };
        waiters.push(waiter);
        signal?.addEventListener('abort', cancelled, { once: true });
      });
    },
  };
}
