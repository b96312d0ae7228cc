import { LakeError } from '../../lake/errors.ts';
import type { LakeErrorCode } from '../../schemas/queryErrors.ts';
import type { ParkedTenant } from '../../stream/progress.ts';

/** Failures of one table, which no repetition cures. */
const OF_ONE_TABLE: ReadonlySet<LakeErrorCode> = new Set([
  'table_unsupported',
  'table_corrupt',
  'table_schema_conflict',
]);

/** Whether a failure concerns one table alone, such as one that another engine has upgraded. */
export function isOfOneTable(error: unknown): error is LakeError {
  return error instanceof LakeError && OF_ONE_TABLE.has(error.code);
}

/**
 * Tenants of a shard whose tables cannot be written, for the time of one lease.
 *
 * A parked tenant has no part in further windows, and its messages stay in the stream: the committed position stands
 * still. The others commit on, each table with its own `txn`. Only another lease can take a tenant back. It reads from
 * the committed position, and the tables of the others skip what they have.
 */
export class ParkedTenants {
  readonly #parked = new Map<string, ParkedTenant>();
  readonly #onParked: (tenant: ParkedTenant) => void;

  constructor(onParked: (tenant: ParkedTenant) => void = () => undefined) {
    this.#onParked = onParked;
  }

  get list(): ParkedTenant[] {
    return [...this.#parked.values()];
  }

  has(tenantId: string): boolean {
    return this.#parked.has(tenantId);
  }

  /**
   * Runs a step for a tenant, and parks the tenant if the step finds its table unusable.
   * @throws the failure; the repetition of the step finds the tenant parked
   */
  async watch<T>(tenantId: string, step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      if (isOfOneTable(error) && !this.#parked.has(tenantId)) {
        const { code, message } = error;
        const tenant = { tenantId, code, message, since: new Date().toISOString() };
        this.#parked.set(tenantId, tenant);
        this.#onParked(tenant);
      }
      throw error;
    }
  }
}
