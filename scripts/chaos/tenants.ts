import { shardOf } from '../../schemas/subjects.ts';
import { SHOPS, type Shop } from '../shop/shops.ts';

/** Shards of a run, few enough to keep each busy. */
export const SHARDS = 3;
/** Tenants per cycle: one per shard, and two in one shard, for flushes with several commits. */
const TENANTS = SHARDS + 1;
/** Cycles of a group of tenants; new tenants keep the comparisons fast. */
export const CYCLES_EACH = 10;

/** The shops of a cycle, with new tables and short histories. */
export function shopsOf(cycle: number): readonly Shop[] {
  const group = Math.floor(cycle / CYCLES_EACH);
  return Array.from({ length: TENANTS }, (_, index) => {
    const shop = SHOPS[index % SHOPS.length]!;
    return { ...shop, tenantId: tenantIdIn(index % SHARDS, `chaos-${group}-${index}`), share: 1 / TENANTS };
  });
}

/** Every shop of a run of so many cycles. */
export function allShops(cycles: number): readonly Shop[] {
  const groups = Math.ceil(cycles / CYCLES_EACH);
  return Array.from({ length: groups }, (_, group) => shopsOf(group * CYCLES_EACH)).flat();
}

/** The first id with a prefix that belongs to a shard. */
function tenantIdIn(shard: number, prefix: string): string {
  for (let number = 0; ; number++) {
    const tenantId = `${prefix}-${number}`;
    if (shardOf(tenantId, SHARDS) === shard) return tenantId;
  }
}

/** Tenants of the probe's own events, one in each shard. */
export const PROBE_TENANTS = Array.from({ length: SHARDS }, (_, shard) => tenantIdIn(shard, 'chaos-probe'));
/** The one whose keys the probe revokes. */
export const PROBE_TENANT = PROBE_TENANTS[0]!;
