import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { errors, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLog } from '../../runtime/log.ts';
import { newSecret, secretHash, type KeyRecord, type TokenRecord } from '../../schemas/keys.ts';
import { streamName, streamSubjects } from '../../schemas/subjects.ts';
import {
  INTENTS_BUCKET,
  KEYS_BUCKET,
  LEASES_BUCKET,
  PROGRESS_BUCKET,
  QUOTAS_BUCKET,
  SCHEMAS_BUCKET,
  SHARES_BUCKET,
  TOKENS_BUCKET,
} from '../../stream/buckets.ts';
import { RefusedCredentialsError } from '../../stream/connectRefusal.ts';
import { checkRights } from '../../stream/identities/checkRights.ts';
import { OTHER_ROLES, SERVICE_ROLES, type Role } from '../../stream/identities/rights.ts';
import { connectNats } from '../../stream/nats.ts';
import { openSecretStore, watchSecrets } from '../../stream/secretStore.ts';
import { ensureStreams } from '../../stream/streams.ts';
import { asRole } from '../support/locks.ts';
import { startNats, type TestNats } from '../support/nats.ts';
import { until } from '../support/until.ts';

const log = createLog('test', 'silent');
const ROLES: readonly Role[] = [...SERVICE_ROLES, ...OTHER_ROLES];
const BUCKETS = [
  KEYS_BUCKET,
  TOKENS_BUCKET,
  SCHEMAS_BUCKET,
  LEASES_BUCKET,
  PROGRESS_BUCKET,
  INTENTS_BUCKET,
  QUOTAS_BUCKET,
  SHARES_BUCKET,
];
const SHARDS = 2;
const KEY: KeyRecord = {
  tenantId: 'other-shop',
  segmentId: 'web',
  kind: 'browser',
  origins: [],
  label: '',
  createdAt: new Date().toISOString(),
};

let nats: TestNats;
const connections = new Map<Role, NatsConnection>();
const as = (role: Role): NatsConnection => connections.get(role)!;

beforeAll(async () => {
  nats = await startNats();
  for (const role of ROLES) {
    connections.set(role, await connectNats({ url: asRole(nats.url, role), name: role, log }));
  }
  const operator = as('operator');
  const streams = Array.from({ length: SHARDS }, (_, shard) => ({
    name: streamName(shard),
    subjects: streamSubjects(shard),
  }));
  await ensureStreams(operator, { streams, beyond: streamName(SHARDS), maxBytes: 1 << 20, replicas: 1 });
  for (const bucket of BUCKETS) await openSecretStore(operator, bucket, 1);
  for (const tenant of ['demo-shop', 'other-shop'])
    await jetstream(operator).publish(`events.0.${tenant}.web`, `of ${tenant}`);
  const manager = await jetstreamManager(operator);
  await manager.consumers.add(streamName(0), { durable_name: 'theirs', ack_policy: 'explicit' as never });
});

afterAll(async () => {
  for (const connection of connections.values()) await connection.close();
  await nats.stop();
});

type Attempt = { publish: string; body?: unknown } | { subscribe: string };

/** Whether the server lets an identity do something. Any answer but a denial counts, also an error of JetStream. */
async function allows(connection: NatsConnection, attempt: Attempt): Promise<boolean> {
  const denial = 'publish' in attempt ? attempt.publish : attempt.subscribe;
  let denied = false;
  const follow = async (): Promise<void> => {
    for await (const status of connection.status()) {
      if (status.type !== 'error' || !(status.error instanceof errors.PermissionViolationError)) continue;
      if (status.error.subject === denial) denied = true;
    }
  };
  void follow();
  if ('publish' in attempt) connection.publish(attempt.publish, JSON.stringify(attempt.body ?? {}));
  else connection.subscribe(attempt.subscribe, { callback: () => undefined });
  // The server handles a connection's lines in order, so a denial comes before the answer to a ping.
  await connection.flush();
  await new Promise((resolve) => setImmediate(resolve)); // the client tells of it in a microtask
  return !denied;
}

const consumer = (name: string, config: Record<string, unknown>): unknown => ({
  stream_name: streamName(0),
  config: { name, ack_policy: 'none', inactive_threshold: 1e9, ...config },
});

/** Every kind of forbidden thing, with the roles that may do it all the same. */
const ATTEMPTS: [string, Attempt, Role[]][] = [
  [
    "read another's events: a consumer with a filter",
    {
      publish: '$JS.API.CONSUMER.CREATE.EVENTS_0.a.events.0.other-shop.*',
      body: consumer('a', { filter_subject: 'events.0.other-shop.*' }),
    },
    ['processor', 'query', 'auditor', 'operator'],
  ],
  [
    'a consumer of a whole stream',
    { publish: '$JS.API.CONSUMER.CREATE.EVENTS_0.b', body: consumer('b', {}) },
    ['processor', 'query', 'auditor', 'operator'],
  ],
  ["raise a tenant's quota", { publish: '$KV.spor_quotas.demo-shop' }, ['query', 'keys', 'operator']],
  ['count against quotas', { publish: '$KV.spor_shares.x' }, ['ingest', 'operator']],
  ['a durable consumer the old way', { publish: '$JS.API.CONSUMER.DURABLE.CREATE.EVENTS_0.c' }, ['operator']],
  [
    "another's consumer",
    { publish: '$JS.API.CONSUMER.MSG.NEXT.EVENTS_0.theirs' },
    ['processor', 'query', 'auditor', 'operator'],
  ],
  ["an acknowledgement in another's name", { publish: '$JS.ACK.EVENTS_0.theirs.1.1.1.1.0' }, ['operator']],
  [
    'a single message',
    { publish: '$JS.API.STREAM.MSG.GET.EVENTS_0', body: { seq: 2 } },
    ['processor', 'query', 'auditor', 'operator'],
  ],
  [
    'a direct read',
    { publish: '$JS.API.DIRECT.GET.EVENTS_0', body: { seq: 2 } },
    ['processor', 'query', 'auditor', 'operator'],
  ],
  [
    'a direct read by subject',
    { publish: '$JS.API.DIRECT.GET.EVENTS_0.events.0.other-shop.web' },
    ['processor', 'query', 'auditor', 'operator'],
  ],
  ['events as they come', { subscribe: 'events.>' }, []],
  ["another tenant's events as they come", { subscribe: 'events.0.other-shop.web' }, []],
  ["a tenant's events as they come", { subscribe: 'events.*.demo-shop.*' }, ['downstream']],
  ['everything', { subscribe: '>' }, []],
  ['new keys and tokens as they come', { subscribe: '$KV.>' }, []],
  ["others' requests", { subscribe: '$JS.API.>' }, []],
  ["everybody's replies", { subscribe: '_INBOX.>' }, []],
  ["the processor's replies", { subscribe: '_INBOX.processor.>' }, ['processor']],
  ["the query server's replies", { subscribe: '_INBOX.query.a.*' }, ['query']],
  ['publish an event', { publish: 'events.0.other-shop.web' }, ['ingest', 'operator']],
  ['publish a rejected event', { publish: 'quarantine.0.other-shop.web' }, ['ingest', 'operator']],
  ['forge a reply', { publish: '_INBOX.ingest.x.y' }, ['operator']],
  [
    'read a token',
    { publish: `$JS.API.DIRECT.GET.KV_spor_tokens.$KV.spor_tokens.${'0'.repeat(64)}` },
    ['query', 'keys', 'operator'],
  ],
  [
    'read tokens by number',
    { publish: '$JS.API.STREAM.MSG.GET.KV_spor_tokens', body: { seq: 1 } },
    ['query', 'keys', 'operator'],
  ],
  [
    'follow tokens',
    { publish: '$JS.API.CONSUMER.CREATE.KV_spor_tokens.d.$KV.spor_tokens.>' },
    ['query', 'keys', 'operator'],
  ],
  ['list hashes of tokens', { publish: '$JS.API.STREAM.INFO.KV_spor_tokens' }, ['query', 'keys', 'operator']],
  [
    'read a key',
    { publish: `$JS.API.DIRECT.GET.KV_spor_keys.$KV.spor_keys.x` },
    ['ingest', 'query', 'keys', 'operator'],
  ],
  ['write a key', { publish: '$KV.spor_keys.x' }, ['query', 'keys', 'operator']],
  ['write a token', { publish: '$KV.spor_tokens.x' }, ['query', 'keys', 'operator']],
  ['write the schemas', { publish: '$KV.spor_schemas.events' }, ['processor', 'operator']],
  ['take a shard', { publish: '$KV.spor_leases.shard.9' }, ['processor', 'operator']],
  ['move a committed position', { publish: '$KV.spor_progress.shard.9' }, ['processor', 'operator']],
  ['note a stream as set back', { publish: '$KV.spor_streams.x' }, ['ingest', 'processor', 'operator']],
  ['delete the record of streams', { publish: '$JS.API.STREAM.PURGE.KV_spor_streams', body: { seq: 1 } }, ['operator']],
  ['write an intent', { publish: '$KV.spor_intents.shard.9' }, ['processor', 'operator']],
  [
    'create a stream',
    { publish: '$JS.API.STREAM.CREATE.MINE', body: { name: 'MINE', subjects: ['mine'] } },
    ['operator'],
  ],
  ['create an event stream', { publish: '$JS.API.STREAM.CREATE.EVENTS_0' }, ['processor', 'operator']],
  ['update an event stream', { publish: '$JS.API.STREAM.UPDATE.EVENTS_0' }, ['processor', 'operator']],
  ['update the bucket of tokens', { publish: '$JS.API.STREAM.UPDATE.KV_spor_tokens' }, ['query', 'keys', 'operator']],
  ['delete a message', { publish: '$JS.API.STREAM.MSG.DELETE.EVENTS_0', body: { seq: 99 } }, ['operator']],
  ['purge the keys', { publish: '$JS.API.STREAM.PURGE.KV_spor_keys', body: { seq: 1 } }, ['operator']],
  ['purge an event stream', { publish: '$JS.API.STREAM.PURGE.EVENTS_1', body: { seq: 1 } }, ['processor', 'operator']],
  ['delete an event stream', { publish: '$JS.API.STREAM.DELETE.EVENTS_9' }, ['operator']],
  ['delete a bucket', { publish: '$JS.API.STREAM.DELETE.KV_nothing' }, ['operator']],
  ['copy a stream', { publish: '$JS.API.STREAM.SNAPSHOT.EVENTS_0' }, ['operator']],
  ['restore a stream', { publish: '$JS.API.STREAM.RESTORE.EVENTS_9' }, ['operator']],
  ['list streams', { publish: '$JS.API.STREAM.LIST' }, ['operator']],
  ['remove a server', { publish: '$JS.API.SERVER.REMOVE' }, ['operator']],
];

describe('the stream server', () => {
  it.each(ATTEMPTS)('lets nobody but the roles that need it: %s', async (_, attempt, allowed) => {
    const may: Role[] = [];
    for (const role of ROLES) if (await allows(as(role), attempt)) may.push(role);
    expect(may.sort()).toEqual([...allowed].sort());
  });

  it('refuses a stranger: without a login, with a wrong one, and with the name of a role', async () => {
    const open = nats.url.replace(/\/\/.*@/, '//');
    for (const login of ['', 'operator:wrong@', 'nobody:x@', 'token@']) {
      const connecting = connectNats({ url: open.replace('//', `//${login}`), name: 'stranger', log });
      await expect(connecting).rejects.toThrow(RefusedCredentialsError);
    }
  });

  it('gives each service the rights of its role, and names those that another role lacks', async () => {
    for (const role of SERVICE_ROLES) await expect(checkRights(as(role), role, SHARDS)).resolves.toBeDefined();
    await expect(checkRights(as('ingest'), 'processor', SHARDS)).rejects.toThrow(
      /identity ingest may not publish to .* more subjects, as the role processor must/,
    );
    await expect(checkRights(as('downstream'), 'query', SHARDS)).rejects.toThrow('as the role query must');
    await expect(checkRights(as('ingest'), 'ingest', 100)).rejects.toThrow('STREAM.INFO.EVENTS_9');
  });
});

describe('a service downstream', () => {
  it("receives its tenant's events and nobody else's", async () => {
    const seen: string[] = [];
    const connection = as('downstream');
    for (const subject of ['events.*.demo-shop.*', 'events.*.other-shop.*', 'events.*.*.*']) {
      connection.subscribe(subject, { callback: (error, message) => void (error ?? seen.push(message.string())) });
    }
    await connection.flush();
    for (const tenant of ['other-shop', 'demo-shop']) {
      await jetstream(as('ingest')).publish(`events.0.${tenant}.web`, `for ${tenant}`);
    }
    await until(() => seen.length > 0);
    await connection.flush();
    expect(seen).toEqual(['for demo-shop']);
  });
});

describe('a reader of keys', () => {
  it('cannot make a token of one by naming its subject for a reply', async () => {
    const keys = await openSecretStore<KeyRecord>(as('operator'), KEYS_BUCKET, 1);
    const hash = secretHash(newSecret('ik'));
    await keys.create(hash, KEY);
    const tokens = await watchSecrets<TokenRecord>(as('query'), TOKENS_BUCKET, 1, log);
    const forged = secretHash(newSecret('rt'));
    // The server checks the subject of a request, and not that of its reply.
    as('ingest').publish(`$JS.API.DIRECT.GET.KV_spor_keys.$KV.spor_keys.${hash}`, '', {
      reply: `$KV.spor_tokens.${forged}`,
    });
    const real = secretHash(newSecret('rt'));
    const store = await openSecretStore<TokenRecord>(as('query'), TOKENS_BUCKET, 1);
    await until(async () => (await store.get(forged)) !== undefined);
    await store.create(real, { tenantId: 'other-shop', segmentIds: [], label: '', createdAt: KEY.createdAt });
    await until(() => tokens.get(real) !== undefined);
    expect(tokens.get(forged)).toBeUndefined();
    tokens.stop();
  });
});
