import { shardOf } from '../../schemas/subjects.ts';
import { SHOPS, type Shop } from '../shop/shops.ts';

/** Shards of a run; few, so that each is busy. */
export const SHARDS = 3;
/** Tenants that are played at once: each shard has one, and one shard has two, so that a flush has several commits. */
const TENANTS = SHARDS + 1;
/** A group of tenants is played for this many cycles; then new ones begin, so that comparing stays quick. */
export const CYCLES_EACH = 10;

/** The shops of a cycle: new tables are begun under faults too, and a tenant's history stays short. */
export function shopsOf(cycle: number): readonly Shop[] {
  const group = Math.floor(cycle / CYCLES_EACH);
  return Array.from({ length: TENANTS }, (_, index) => {
    const shop = SHOPS[index % SHOPS.length]!;
    return { ...shop, tenantId: tenantIdIn(index % SHARDS, `chaos-${group}-${index}`), share: 1 / TENANTS };
  });
}

/** Every shop that a run of so many cycles plays. */
export function allShops(cycles: number): readonly Shop[] {
  const groups = Math.ceil(cycles / CYCLES_EACH);
  return Array.from({ length: groups }, (_, group) => shopsOf(group * CYCLES_EACH)).flat();
}

/** The first id with this beginning that belongs to a shard. */
function tenantIdIn(shard: number, prefix: string): string {
  for (let number = 0; ; number++) {
    const tenantId = `${prefix}-${number}`;
    if (shardOf(tenantId, SHARDS) === shard) return tenantId;
  }
}
