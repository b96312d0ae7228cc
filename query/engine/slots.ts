import type { Holder } from '../../runtime/fairBound.ts';
import { LakeError } from '../../lake/errors.ts';

export interface Slots {
  readonly running: number;
  readonly waiting: number;
  /**
   * Waits for a slot, which the caller must release.
   * @throws LakeError too_many_queries if the queue is full, query_cancelled if the signal aborts the wait
   */
  acquire(holder: Holder, signal?: AbortSignal): Promise<() => void>;
}

/** One query in the queue. */
interface Waiter extends Holder {
  /** Time of arrival, in turns. */
  arrivedAt: number;
  start: () => void;
  displace: () => void;
}

/** Queries of one tenant, or of one of its tokens. */
interface Share {
  running: number;
  waiting: number;
  /** Turn of its last start. */
  servedAt: number;
}

const NO_SHARE: Share = { running: 0, waiting: 0, servedAt: 0 };
/** Tenants that wait beyond the queue, with one query each. */
const MOST_EXTRA = 1_000;

/**
 * Bounds running queries and a queue, in fair shares.
 *
 * A free slot goes to the tenant with the fewest running queries, and among equals to the longest without a turn. The
 * same rule holds between the tokens of a tenant. If there are several slots, one is always left for other tenants.
 *
 * A full queue makes room for a smaller share: the newest query of the largest share is rejected instead. A tenant with
 * nothing under way is always queued. The queue holds `queued` queries at most, or one for each tenant if that is more.
 */
export function createSlots({ concurrent, queued }: { concurrent: number; queued: number }): Slots {
  const waiters: Waiter[] = [];
  const shares = new Map<string, Share>();
  const perTenant = Math.max(1, concurrent - 1);
  let running = 0;
  let turn = 0;

  const tenantShare = ({ tenantId }: Holder): Share => shares.get(tenantId) ?? NO_SHARE;
  const tokenShare = (holder: Holder): Share => shares.get(tokenKey(holder)) ?? NO_SHARE;
  const change = (holder: Holder, by: { running?: number; waiting?: number; servedAt?: number }): void => {
    for (const key of [holder.tenantId, tokenKey(holder)]) {
      const share = shares.get(key) ?? NO_SHARE;
      const more = {
        running: share.running + (by.running ?? 0),
        waiting: share.waiting + (by.waiting ?? 0),
        servedAt: by.servedAt ?? share.servedAt,
      };
      if (more.running + more.waiting === 0) shares.delete(key);
      else shares.set(key, more);
    }
  };

  const start = (holder: Holder): (() => void) => {
    running++;
    change(holder, { running: 1, servedAt: ++turn });
    let released = false;
    return () => {
      if (released) return;
      released = true;
      running--;
      change(holder, { running: -1 });
      startNext();
    };
  };
  const mayStart = (holder: Holder): boolean => running < concurrent && tenantShare(holder).running < perTenant;
  const leave = (waiter: Waiter): void => {
    waiters.splice(waiters.indexOf(waiter), 1);
    change(waiter, { waiting: -1 });
  };
  const startNext = (): void => {
    for (let next = first(waiters.filter(mayStart)); next; next = first(waiters.filter(mayStart))) {
      leave(next);
      next.start();
    }
  };
  /** The query that is due. A share's turn counts from its last start, or from the arrival of its oldest query. */
  const first = (ready: readonly Waiter[]): Waiter | undefined => {
    const oldest = new Map<string, number>();
    for (const { tenantId, arrivedAt } of ready) if (!oldest.has(tenantId)) oldest.set(tenantId, arrivedAt);
    return least(ready, (waiter) => {
      const [tenant, token] = [tenantShare(waiter), tokenShare(waiter)];
      const tenantSince = Math.max(tenant.servedAt, oldest.get(waiter.tenantId)!);
      return [tenant.running, tenantSince, token.running, Math.max(token.servedAt, waiter.arrivedAt)];
    });
  };

  /** The newest query of the largest share, if the share is larger than the holder's would be. */
  const displaceable = (holder: Holder): Waiter | undefined => {
    const largest = least(waiters, (waiter) => [
      -tenantShare(waiter).waiting,
      -tokenShare(waiter).waiting,
      -waiter.arrivedAt,
    ]);
    if (largest && tenantShare(largest).waiting > tenantShare(holder).waiting + 1) return largest;
    const own = least(
      waiters.filter(({ tenantId }) => tenantId === holder.tenantId),
      (waiter) => [-tokenShare(waiter).waiting, -waiter.arrivedAt],
    );
    return own && tokenShare(own).waiting > tokenShare(holder).waiting + 1 ? own : undefined;
  };
  const makeRoom = (holder: Holder): boolean => {
    if (waiters.length < queued) return true;
    const larger = displaceable(holder);
    larger?.displace();
    return larger !== undefined || (tenantShare(holder) === NO_SHARE && waiters.length < queued + MOST_EXTRA);
  };

  return {
    get running() {
      return running;
    },
    get waiting() {
      return waiters.length;
    },
    acquire: (holder, signal) => {
      if (signal?.aborted) return Promise.reject(cancelled());
      if (mayStart(holder)) return Promise.resolve(start(holder));
      if (!makeRoom(holder)) return Promise.reject(full(running, waiters.length));
      return new Promise((resolve, reject) => {
        const end = (error: LakeError): void => {
          signal?.removeEventListener('abort', onAbort);
          leave(waiter);
          reject(error);
        };
        const onAbort = (): void => end(cancelled());
        const waiter: Waiter = {
          ...holder,
          arrivedAt: ++turn,
          start: () => {
            signal?.removeEventListener('abort', onAbort);
            resolve(start(holder));
          },
          displace: () => end(full(running, waiters.length)),
        };
        waiters.push(waiter);
        change(holder, { waiting: 1 });
        signal?.addEventListener('abort', onAbort, { once: true });
      });
    },
  };
}

function tokenKey({ tenantId, tokenId }: Holder): string {
  return `${tenantId} ${tokenId}`;
}

/** The element of the lowest rank; undefined if there is none. */
function least<T>(all: readonly T[], rankOf: (one: T) => readonly number[]): T | undefined {
  let best: { one: T; rank: readonly number[] } | undefined;
  for (const one of all) {
    const rank = rankOf(one);
    if (!best || isBefore(rank, best.rank)) best = { one, rank };
  }
  return best?.one;
}

function isBefore(rank: readonly number[], other: readonly number[]): boolean {
  const at = rank.findIndex((value, index) => value !== other[index]);
  return at >= 0 && rank[at]! < other[at]!;
}

function cancelled(): LakeError {
  return new LakeError('query_cancelled', 'The query was cancelled while it waited.');
}

function full(running: number, waiting: number): LakeError {
  const message = `${running} queries run and ${waiting} wait already. Send again in a moment.`;
  return new LakeError('too_many_queries', message, { retryAfterSeconds: 2 });
}
