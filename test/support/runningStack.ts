import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createQueryClient, type RowsAnswer } from '../../scripts/queryClient.ts';
import { startStack, type Stack, type StackOptions } from '../../scripts/stack/stack.ts';
import { createLog } from '../../runtime/log.ts';
import { connectNats } from '../../stream/nats.ts';
import { openSecretStore, type SecretStore } from '../../stream/secretStore.ts';
import { newSecret, secretHash, type KeyRecord, type TokenRecord } from '../../schemas/keys.ts';
import { KEYS_BUCKET, TOKENS_BUCKET } from '../../stream/buckets.ts';

export interface RunningStack {
  stack: Stack;
  keys: SecretStore<KeyRecord>;
  /** A new instrumentation key; it works once this resolves. */
  createKey: (tenantId: string, segmentId: string, change?: Partial<KeyRecord>) => Promise<string>;
  /** A tenant's answer through the query server. */
  ask: (tenantId: string, sql: string) => Promise<RowsAnswer>;
  /** What an address of the query server answers a tenant. */
  get: (tenantId: string, path: string) => Promise<Response>;
  post: (key: string, body: unknown, headers?: Record<string, string>) => Promise<Response>;
  /** Pid of a process by its name in the stack. */
  pid: (name: string) => number;
  close: () => Promise<void>;
}

const NOW = (): string => new Date().toISOString();
const FREE_PORTS = { NATS_PORT: '-1', INGEST_PORT: '0', LAKE_PORT: '0', PROCESSOR_PORT: '0' };

/** The whole stack as real processes in a temporary folder, and what a test does with it. */
export async function runStack(options: Partial<StackOptions> = {}): Promise<RunningStack> {
  const dir = await mkdtemp(join(tmpdir(), 'spor-test-e2e-'));
  const stack = await startStack({
    dir,
    ports: 'free',
    restart: true,
    log: () => undefined,
    ...options,
    env: { ...process.env, ...FREE_PORTS, ...options.env },
  });
  const connection = await connectNats({
    url: stack.natsUrl,
    access: stack.nats,
    name: 'test',
    log: createLog('test', 'silent'),
  });
  const keys = await openSecretStore<KeyRecord>(connection, KEYS_BUCKET, 1);
  const tokens = await openSecretStore<TokenRecord>(connection, TOKENS_BUCKET, 1);
  const client = createQueryClient(stack.queryUrl);
  const tokenOf = new Map<string, string>();

  const post = (key: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(new URL('/api/events', stack.ingestUrl), {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-instrumentation-key': key, ...headers },
      body: JSON.stringify(body),
    });

  const readToken = async (tenantId: string): Promise<string> => {
    const known = tokenOf.get(tenantId);
    if (known !== undefined) return known;
    const token = newSecret('rt');
    await tokens.create(secretHash(token), { tenantId, segmentIds: [], label: 'test', createdAt: NOW() });
    tokenOf.set(tenantId, token);
    await knownToken(stack.queryUrl, token);
    return token;
  };

  return {
    stack,
    keys,
    post,
    async createKey(tenantId, segmentId, change = {}) {
      const key = newSecret('ik');
      const record: KeyRecord = { tenantId, segmentId, kind: 'server', origins: [], label: 'test', createdAt: NOW() };
      await keys.create(secretHash(key), { ...record, ...change });
      // An empty batch is refused with 400 by a receiver that knows the key, with 401 by one that does not yet.
      while ((await post(key, { events: [] })).status === 401) await new Promise((resolve) => setTimeout(resolve, 10));
      return key;
    },
    ask: async (tenantId, sql) => client.ask(await readToken(tenantId), sql),
    get: async (tenantId, path) =>
      fetch(new URL(path, stack.queryUrl), { headers: { authorization: `Bearer ${await readToken(tenantId)}` } }),
    pid: (name) => stack.processes().find((process) => process.name === name)!.pid,
    async close() {
      await connection.close();
      await stack.stop();
      await rm(dir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function knownToken(queryUrl: string, token: string): Promise<void> {
  const probe = (): Promise<Response> =>
    fetch(new URL('/api/query', queryUrl), {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: '{"sql":"select 1"}',
    });
  while ((await probe()).status === 401) await new Promise((resolve) => setTimeout(resolve, 10));
}
