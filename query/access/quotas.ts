import {
  isNear,
  quotaStanding,
  type QuotaRecord,
  type QuotaStanding,
  type ReceiverCounts,
} from '../../schemas/quotas.ts';
import { QUOTAS_BUCKET } from '../../stream/buckets.ts';
import { compareAndSetRecord } from '../../stream/compareAndSet.ts';
import { StreamUnavailableError } from '../../stream/errors.ts';
import type { NatsConnection } from '../../stream/nats.ts';

/** The limits of a tenant, without the time of the change. */
export type QuotaLimits = Omit<QuotaRecord, 'changedAt'>;

/** A tenant's quota and its use, as people see it. */
export interface QuotaAnswer extends QuotaLimits {
  tenantId: string;
  changedAt?: string;
  /** Use of the limits of days and months. */
  use: QuotaStanding[];
  /** Whether a limit is used to 80 % or more. */
  near: boolean;
}

/** The quota of a tenant from its record and the counts of all receivers. */
export function quotaAnswer(
  tenantId: string,
  record: QuotaRecord | undefined,
  counts: Iterable<ReceiverCounts>,
  nowMs: number,
): QuotaAnswer {
  const own = [...counts].flatMap((receiver) => receiver[tenantId] ?? []);
  const use = quotaStanding(record ?? {}, own, nowMs);
  return { tenantId, ...record, use, near: use.some(isNear) };
}

/**
 * Sets the limits of a tenant; absent ones no longer bind. What was counted stays.
 * @returns the record before
 * @throws StreamUnavailableError
 */
export async function setQuota(
  connection: NatsConnection,
  { tenantId, limits, replicas, nowMs }: { tenantId: string; limits: QuotaLimits; replicas: number; nowMs: number },
): Promise<QuotaRecord | undefined> {
  const record: QuotaRecord = { ...limits, changedAt: new Date(nowMs).toISOString() };
  let before: QuotaRecord | undefined;
  try {
    await compareAndSetRecord<QuotaRecord>(
      connection,
      { bucket: QUOTAS_BUCKET, key: tenantId, replicas },
      (recorded) => {
        before = recorded;
        return record;
      },
    );
  } catch (error) {
    throw new StreamUnavailableError(undefined, { cause: error });
  }
  return before;
}
