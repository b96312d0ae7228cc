import type { TableName } from '../layout/tables.ts';

/** Merges that were due and not done when each table was looked at last. */
export class DueMerges {
  readonly #byTenant = new Map<string, Map<TableName, number>>();

  note(tenantId: string, table: TableName, merges: number): void {
    const tables = this.#byTenant.get(tenantId) ?? new Map<TableName, number>();
    this.#byTenant.set(tenantId, tables.set(table, merges));
  }

  /** The sum over some tenants. The others are another process's now, and are left out for good. */
  sum(tenantIds: readonly string[]): number {
    const kept = new Set(tenantIds);
    let sum = 0;
    for (const [tenantId, tables] of this.#byTenant) {
      if (!kept.has(tenantId)) this.#byTenant.delete(tenantId);
      else for (const merges of tables.values()) sum += merges;
    }
    return sum;
  }
}
