import { newSecret, secretHash, type KeyRecord, type SecretRecord, type TokenRecord } from '../../schemas/keys.ts';
import { KEYS_BUCKET, TOKENS_BUCKET } from '../../stream/buckets.ts';
import type { NatsConnection } from '../../stream/nats.ts';
import { openSecretStore } from '../../stream/secretStore.ts';
import type { CredentialHeaders } from './requests.ts';

/** Tenants that only the contract runs use. */
export const CONTRACT_TENANTS = ['contract-a', 'contract-b'] as const;

export interface ContractCredentials {
  /** Of senders. The first one is good. */
  senders: readonly CredentialHeaders[];
  /** Of readers. The first one is good. */
  readers: readonly CredentialHeaders[];
}

const PAST = '2026-01-01T00:00:00.000Z';

/** Good credentials are chosen as often as all others together. */
function often(one: CredentialHeaders): CredentialHeaders[] {
  return Array.from({ length: 10 }, () => one);
}

/** Creates keys and tokens of every kind, good and bad. */
export async function createCredentials(connection: NatsConnection): Promise<ContractCredentials> {
  const keys = await openSecretStore<KeyRecord>(connection, KEYS_BUCKET, 1);
  const tokens = await openSecretStore<TokenRecord>(connection, TOKENS_BUCKET, 1);
  const common: SecretRecord = { label: 'contract', createdAt: new Date().toISOString() };
  const [a, b] = CONTRACT_TENANTS;
  const key = async (record: Partial<KeyRecord> = {}): Promise<CredentialHeaders> => {
    const secret = newSecret('ik');
    const place = { tenantId: a, segmentId: 'web', kind: 'server' as const, origins: [] };
    await keys.create(secretHash(secret), { ...place, ...common, ...record });
    return { 'x-instrumentation-key': secret };
  };
  const token = async (record: Partial<TokenRecord>): Promise<CredentialHeaders> => {
    const secret = newSecret(record.role === 'operator' ? 'ot' : 'rt');
    const place = record.role === 'operator' ? {} : { tenantId: a, segmentIds: [] };
    await tokens.create(secretHash(secret), { ...place, ...common, ...record } as TokenRecord);
    return { authorization: `Bearer ${secret}` };
  };
  const good = await key();
  const operator = await token({ role: 'operator' });
  const browser = await key({ kind: 'browser', origins: ['https://shop.example'], segmentId: 'app' });
  const reader = await token({});
  return {
    senders: [
      ...often(good),
      await key({ tenantId: b }),
      { ...browser, origin: 'https://shop.example' },
      { ...browser, origin: 'https://other.example' },
      { ...good, origin: 'https://shop.example' },
      await key({ quotaEventsPerSecond: 1 }),
      await key({ revokedAt: PAST }),
      await key({ expiresAt: PAST }),
      { 'x-instrumentation-key': newSecret('ik') },
      { 'x-instrumentation-key': 'nonsense' },
      {},
    ],
    readers: [
      ...often(reader),
      await token({ segmentIds: ['app'] }),
      operator,
      { ...operator, 'x-spor-tenant': a },
      { ...operator, 'x-spor-tenant': 'nobody' },
      { ...operator, 'x-spor-tenant': 'No Id' },
      { ...reader, 'x-spor-tenant': b },
      await token({ revokedAt: PAST }),
      await token({ expiresAt: PAST }),
      { authorization: `Bearer ${newSecret('rt')}` },
      { authorization: 'Basic nonsense' },
      {},
    ],
  };
}
