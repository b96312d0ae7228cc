import type { NatsSettings } from '../stream/credentials.ts';
import { openSecretStore } from '../stream/secretStore.ts';
import {
  newSecret,
  secretHash,
  stateOf,
  type KeyKind,
  type KeyRecord,
  type SecretRecord,
  type TokenRecord,
} from '../schemas/keys.ts';
import { KEYS_BUCKET, TOKENS_BUCKET } from '../stream/buckets.ts';
import { openStream } from '../cli/stream.ts';
import type { Shop } from './shop/shops.ts';

/** Secrets of simulated shops and of their readers. */
export interface ShopAccess {
  /** Instrumentation key of a tenant's segment, of a page unless a server's is asked for. */
  keyOf: (tenantId: string, segmentId: string, kind?: KeyKind) => string;
  /** Read token of a tenant. */
  tokenOf: (tenantId: string) => string;
  /** Present if it was requested. */
  operatorToken?: string;
}

/** Creates a key of a page and of a server per segment, and a read token per tenant. */
export async function grantAccess(options: {
  nats: NatsSettings;
  replicas: number;
  shops: readonly Pick<Shop, 'tenantId' | 'segments'>[];
  label: string;
  /** Time at which the secrets expire; absent: never. */
  expiresAt?: Date;
  /** Whether to create an operator token as well. */
  operator?: boolean;
}): Promise<ShopAccess> {
  const { nats, replicas, shops, label, expiresAt, operator = false } = options;
  const operatorToken = operator ? newSecret('ot') : undefined;
  const secrets = new Map<string, string>();
  const common = {
    label,
    createdAt: new Date().toISOString(),
    ...(expiresAt ? { expiresAt: expiresAt.toISOString() } : {}),
  };
  const connection = await openStream(nats, 'NATS_URL');
  try {
    const keys = await openSecretStore<KeyRecord>(connection, KEYS_BUCKET, replicas);
    const tokens = await openSecretStore<TokenRecord>(connection, TOKENS_BUCKET, replicas);
    for (const { tenantId, segments } of shops) {
      for (const { segmentId } of segments) {
        for (const kind of ['browser', 'server'] as const) {
          const key = newSecret('ik');
          await keys.create(secretHash(key), { tenantId, segmentId, kind, origins: [], ...common });
          secrets.set(`${tenantId}/${segmentId}/${kind}`, key);
        }
      }
      const token = newSecret('rt');
      await tokens.create(secretHash(token), { tenantId, segmentIds: [], ...common });
      secrets.set(tenantId, token);
    }
    if (operatorToken) await tokens.create(secretHash(operatorToken), { role: 'operator', ...common });
  } finally {
    await connection.close();
  }
  const secret = (name: string): string => {
    const value = secrets.get(name);
    if (value === undefined) throw new Error(`no access was granted for ${name}`);
    return value;
  };
  return {
    keyOf: (tenantId, segmentId, kind = 'browser') => secret(`${tenantId}/${segmentId}/${kind}`),
    tokenOf: secret,
    ...(operatorToken ? { operatorToken } : {}),
  };
}

/** Whether a key and tokens of an earlier start still work. */
export async function isGranted(options: {
  nats: NatsSettings;
  replicas: number;
  key: string;
  tokens: readonly string[];
}): Promise<boolean> {
  const { nats, replicas, key } = options;
  const connection = await openStream(nats, 'NATS_URL');
  try {
    const keys = await openSecretStore<KeyRecord>(connection, KEYS_BUCKET, replicas);
    const tokens = await openSecretStore<TokenRecord>(connection, TOKENS_BUCKET, replicas);
    const records: (SecretRecord | undefined)[] = [await keys.get(secretHash(key))];
    for (const token of options.tokens) records.push(await tokens.get(secretHash(token)));
    return records.every((record) => record !== undefined && stateOf(record, Date.now()) === 'active');
  } finally {
    await connection.close();
  }
}
