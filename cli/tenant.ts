import { jetstreamManager } from '@nats-io/jetstream';
import { hasTable } from '../lake/layout/tenants.ts';
import { shardRange } from '../stream/shardCount.ts';
import type { NatsConnection } from '../stream/nats.ts';
import { openSecretStore } from '../stream/secretStore.ts';
import { streamInfo } from '../stream/streamInfo.ts';
import { shardNumbers, streamName } from '../schemas/subjects.ts';
import type { KeyRecord, TokenRecord } from '../schemas/keys.ts';
import { KEYS_BUCKET, TOKENS_BUCKET } from '../stream/buckets.ts';
import { UnavailableError, type Context } from './command.ts';
import { withStorage } from './storage.ts';
import { readEnvironment } from './settings.ts';
import { withStream } from './stream.ts';

/**
 * Check that each tenant has a table, key, token or message.
 * Only tenants without a table need the stream server. If NATS_URL is not set and no server answers, the lake alone decides.
 * @throws Error naming an unknown tenant; UnavailableError if the storage, or the server of NATS_URL, does not answer
 */
export async function requireTenants(context: Context, tenantIds: readonly string[]): Promise<void> {
  const asked = await withoutTable(context, tenantIds);
  if (asked.length === 0) return;
  const unknown = await unknownToStream(context, asked);
  if (unknown.length === 0) return;
  throw new Error(
    `there is no tenant ${unknown.join(', ')}: it has no table in the lake, no key and no token. ` +
      'Check the spelling and the environment; "spor keys list" shows tenants with keys',
  );
}

function withoutTable(context: Context, tenantIds: readonly string[]): Promise<string[]> {
  return withStorage(context, async (storage) => {
    const missing: string[] = [];
    for (const tenantId of tenantIds) if (!(await hasTable(storage, tenantId))) missing.push(tenantId);
    return missing;
  });
}

async function unknownToStream(context: Context, tenantIds: readonly string[]): Promise<string[]> {
  try {
    return await withStream(context, async (connection, { replicas }) => {
      const keys = await (await openSecretStore<KeyRecord>(connection, KEYS_BUCKET, replicas)).list();
      const tokens = await (await openSecretStore<TokenRecord>(connection, TOKENS_BUCKET, replicas)).list();
      const known = new Set([...keys, ...tokens].map(({ record }) => record.tenantId));
      const rest = tenantIds.filter((tenantId) => !known.has(tenantId));
      const silent = await Promise.all(rest.map(async (tenantId) => !(await hasMessages(connection, tenantId))));
      return rest.filter((_, index) => silent[index]);
    });
  } catch (error) {
    if (error instanceof UnavailableError && !readEnvironment(context).values.NATS_URL) return [...tenantIds];
    throw error;
  }
}

async function hasMessages(connection: NatsConnection, tenantId: string): Promise<boolean> {
  const manager = await jetstreamManager(connection);
  for (const shard of shardNumbers(await shardRange(manager))) {
    if (!(await streamInfo(manager, streamName(shard)))) continue;
    const { state } = await manager.streams.info(streamName(shard), { subjects_filter: `*.*.${tenantId}.*` });
    if (Object.keys(state.subjects ?? {}).length > 0) return true;
  }
  return false;
}
