import { recorded } from '../schemas/change.ts';
import { agreedSchemas, type UsedSchemas } from '../schemas/compatibility.ts';
import type { Registry } from '../schemas/registry.ts';
import { CHANGES_BUCKET, SCHEMAS_BUCKET, SCHEMAS_KEY } from './buckets.ts';
import { openChangeBucket } from './changeBucket.ts';
import { compareAndSetRecord } from './compareAndSet.ts';
import type { NatsConnection } from './nats.ts';

/**
 * Agrees with the other services on the event schemas in use, and records a change of them.
 * @param options.by name of the service
 * @throws Error if this service's schemas do not fit those in use
 */
export async function agreeOnSchemas(
  connection: NatsConnection,
  registry: Registry,
  options: { replicas: number; by: string; mayPublish: (subject: string) => boolean },
): Promise<void> {
  const { replicas, by, mayPublish } = options;
  const mayWrite = mayPublish(`$KV.${SCHEMAS_BUCKET}.${SCHEMAS_KEY}`);
  let before: UsedSchemas | undefined;
  let after: UsedSchemas | undefined;
  await compareAndSetRecord<UsedSchemas>(connection, { bucket: SCHEMAS_BUCKET, key: SCHEMAS_KEY, replicas }, (used) => {
    before = used;
    const agreed = agreedSchemas(used, registry);
    return (after = mayWrite ? agreed : undefined);
  });
  if (after === undefined || JSON.stringify(before) === JSON.stringify(after)) return;
  if (!mayPublish(`$KV.${CHANGES_BUCKET}.x`)) return;
  const change = { action: 'schemas.use', by, before: before ? schemaNames(before) : null, after: schemaNames(after) };
  await recorded(await openChangeBucket(connection, replicas), change, () => Promise.resolve());
}

/** Names of schemas for a record, such as `Search.v1`. */
export function schemaNames(schemas: UsedSchemas): string[] {
  return schemas.map(({ type, version }) => `${type}.v${version}`);
}
