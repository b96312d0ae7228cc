import { Kvm } from '@nats-io/kv';
import type { Logger } from '../../runtime/log.ts';
import type { Resources } from '../../runtime/resources.ts';
import type { QuotaRecord, ReceiverCounts } from '../../schemas/quotas.ts';
import { QUOTAS_BUCKET, SHARES_BUCKET } from '../../stream/buckets.ts';
import type { Granted } from '../../stream/identities/checkRights.ts';
import type { NatsConnection } from '../../stream/nats.ts';
import { watchSecrets } from '../../stream/secretStore.ts';
import { untilServed } from '../../stream/untilServed.ts';
import { TenantQuotas } from './tenantQuotas.ts';

/**
 * Opens the quotas of tenants, and follows them until the process ends.
 * @returns undefined if the identity is from before there were quotas, which is logged
 */
export async function openTenantQuotas(
  connection: NatsConnection,
  options: { replicas: number; now: () => number; log: Logger; resources: Resources } & Granted,
): Promise<TenantQuotas | undefined> {
  const { replicas, now, log, resources, mayPublish } = options;
  const needed = [`$JS.API.STREAM.CREATE.KV_${QUOTAS_BUCKET}`, `$KV.${SHARES_BUCKET}.x`];
  if (!needed.every(mayPublish)) {
    log.warn(
      { bucket: QUOTAS_BUCKET },
      'quotas of tenants are not enforced: this identity is older than they are. Write the rights again with "spor access init" and reload nats-server',
    );
    return undefined;
  }
  const limits = await untilServed(
    () => watchSecrets<QuotaRecord>(connection, QUOTAS_BUCKET, replicas, log),
    'the quotas of tenants',
    log,
  );
  resources.add('quotas', limits, () => limits.stop());
  const counts = await untilServed(
    () => watchSecrets<ReceiverCounts>(connection, SHARES_BUCKET, replicas, log),
    'the counts of quotas',
    log,
  );
  resources.add('counts of quotas', counts, () => counts.stop());
  const kv = await new Kvm(connection).open(SHARES_BUCKET);
  const quotas = new TenantQuotas({
    limits,
    counts,
    publish: async (receiverId, own) => void (await kv.put(receiverId, JSON.stringify(own))),
    remove: (receiverId) => kv.purge(receiverId),
    now,
    log,
  });
  return resources.add('tenant quotas', quotas, (open) => open.close());
}
