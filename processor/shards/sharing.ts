/** Processors and holders of shards, as one processor sees them. */
export interface SharingView {
  me: string;
  /** Ids of the living processors, including this one. */
  processors: readonly string[];
  /** Holder of each shard; undefined if free. */
  holders: readonly (string | undefined)[];
}

export interface SharingPlan {
  /** Shards to take, in this order. */
  acquire: number[];
  /** Shards to release to other processors. */
  release: number[];
}

/**
 * Plans an even share of the shards for one processor. Pure.
 *
 * Shares differ by at most one shard. Every processor computes its own plan from the same view. While views differ, the
 * leases still allow one holder a shard. A processor with more shards keeps the odd one, so that nothing moves without
 * need.
 */
export function planSharing({ me, processors, holders }: SharingView): SharingPlan {
  const held = new Map(processors.map((id) => [id, 0]));
  for (const holder of holders) if (holder !== undefined && held.has(holder)) held.set(holder, held.get(holder)! + 1);
  const ranked = [...held]
    .sort(([a, heldByA], [b, heldByB]) => heldByB - heldByA || (a < b ? -1 : 1))
    .map(([id]) => id);
  const rank = ranked.indexOf(me);
  if (rank < 0) return { acquire: [], release: [] };
  const quota = Math.floor(holders.length / ranked.length) + (rank < holders.length % ranked.length ? 1 : 0);

  const mine = shardsWhere(holders, (holder) => holder === me);
  const free = shardsWhere(holders, (holder) => holder === undefined);
  // Processors start at different shards, to avoid conflicts over the first.
  const start = free.length === 0 ? 0 : (rank * Math.max(1, quota)) % free.length;
  const order = [...free.slice(start), ...free.slice(0, start)];
  return { acquire: order.slice(0, Math.max(0, quota - mine.length)), release: mine.slice(quota) };
}

function shardsWhere(holders: SharingView['holders'], fits: (holder: string | undefined) => boolean): number[] {
  return holders.flatMap((holder, shard) => (fits(holder) ? [shard] : []));
}
