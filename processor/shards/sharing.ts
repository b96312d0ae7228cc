/** Who is there and who holds what, as one processor sees it. */
export interface SharingView {
  me: string;
  /** Ids of the processors that are alive, this one among them. */
  processors: readonly string[];
  /** Holder of each shard; undefined: nobody. */
  holders: readonly (string | undefined)[];
}

export interface SharingPlan {
  /** Shards to take, in this order. */
  acquire: number[];
  /** Shards to give up, so that others have their share. */
  release: number[];
}

/**
 * What one processor should take or give so that all hold as many shards as each other, give or take one. Every processor
 * computes this for itself from the same view; where the views differ for a moment, the leases still let only one hold a
 * shard. Whoever holds more keeps the odd shard, so that nothing moves without need.
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
  // Processors start at different shards, so that they do not all race for the first.
  const start = free.length === 0 ? 0 : (rank * Math.max(1, quota)) % free.length;
  const order = [...free.slice(start), ...free.slice(0, start)];
  return { acquire: order.slice(0, Math.max(0, quota - mine.length)), release: mine.slice(quota) };
}

function shardsWhere(holders: SharingView['holders'], fits: (holder: string | undefined) => boolean): number[] {
  return holders.flatMap((holder, shard) => (fits(holder) ? [shard] : []));
}
