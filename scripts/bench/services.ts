import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { createLog } from '../../runtime/log.ts';
import type { NatsSettings } from '../../stream/credentials.ts';
import { connectNats, type NatsConnection } from '../../stream/nats.ts';
import { openSecretStore } from '../../stream/secretStore.ts';
import { newSecret, secretHash, type KeyRecord, type TokenRecord } from '../../schemas/keys.ts';
import { KEYS_BUCKET, TOKENS_BUCKET } from '../../stream/buckets.ts';
import { delay } from '../../runtime/retry.ts';
import { startChild, type StackProcess } from '../stack/child.ts';

/** Options of every bench. */
export interface BenchOptions {
  /** A folder that is removed afterwards. */
  dir: string;
  /** Length of each measurement. */
  seconds: number;
  /** Number of measurements of each pair. */
  rounds: number;
  /** Whether to use little data, as proof that the bench runs. */
  quick: boolean;
  /** A folder for data that later runs use again. */
  keep: string;
  /** Number of events to generate, in benches that generate them. */
  events?: number;
  /** Number of tenants, in the bench of many tenants. */
  tenants?: number;
  log: (line: string) => void;
}

export const SILENT = createLog('bench', 'silent');

export function connectBench(nats: NatsSettings): Promise<NatsConnection> {
  return connectNats({ url: nats.natsUrl, access: nats, name: 'bench', log: SILENT });
}

const MOST_STREAM_BYTES = 16 * 2 ** 30;

/**
 * STREAM_MAX_BYTES for a number of streams.
 *
 * nats-server reserves three quarters of the free disk at its start.
 */
export async function streamMaxBytes(dir: string, streams: number): Promise<string> {
  const { bavail, bsize } = await statfs(dir);
  return String(Math.min(MOST_STREAM_BYTES, Math.floor((bavail * bsize) / 2 / streams)));
}

/** Ids of a number of tenants. */
export function tenantIds(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `bench-${index}`);
}

/** An instrumentation key for each tenant's segment `web`. */
export async function issueKeys(nats: NatsSettings, tenants: readonly string[]): Promise<string[]> {
  const connection = await connectBench(nats);
  const store = await openSecretStore<KeyRecord>(connection, KEYS_BUCKET, 1);
  const createdAt = new Date().toISOString();
  const keys = await Promise.all(
    tenants.map(async (tenantId) => {
      const key = newSecret('ik');
      const facts = { segmentId: 'web', kind: 'server' as const, origins: [], label: 'bench', createdAt };
      await store.create(secretHash(key), { tenantId, ...facts });
      return key;
    }),
  );
  await connection.close();
  return keys;
}

/** A read token of a tenant. */
export async function issueToken(nats: NatsSettings, tenantId: string): Promise<string> {
  const connection = await connectBench(nats);
  const store = await openSecretStore<TokenRecord>(connection, TOKENS_BUCKET, 1);
  const token = newSecret('rt');
  const createdAt = new Date().toISOString();
  await store.create(secretHash(token), { tenantId, segmentIds: [], label: 'bench', createdAt });
  await connection.close();
  return token;
}

/** Starts a program of this repository on a free port. */
export function startService(
  name: string,
  program: URL,
  { dir }: Pick<BenchOptions, 'dir'>,
  variables: Record<string, string>,
): Promise<StackProcess> {
  const env = {
    ...(process.env as Record<string, string>),
    INGEST_PORT: '0',
    PROCESSOR_PORT: '0',
    LOG_LEVEL: 'warn',
    ...variables,
  };
  return startChild({
    name,
    program,
    launch: () => ({ env }),
    logFile: join(dir, 'logs', `${name}.log`),
    readyMs: 30_000,
    stopMs: 20_000,
  });
}

export const PROGRAMS = {
  ingest: new URL('../../ingest/main.ts', import.meta.url),
  processor: new URL('../../processor/main.ts', import.meta.url),
  discard: new URL('./discardReceiver.ts', import.meta.url),
  hold: new URL('./holdConnections.ts', import.meta.url),
};

/** URL of a local service of this repository. */
export function urlOf({ facts }: Pick<StackProcess, 'facts'>): string {
  return `http://127.0.0.1:${facts.port}`;
}

const KEY_POLL_MS = 50;

/** Waits until a receiver knows a key. */
export async function keyKnown(ingestUrl: string, key: string): Promise<void> {
  const post = (): Promise<Response> =>
    fetch(new URL('/api/events', ingestUrl), {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-instrumentation-key': key },
      body: '{"events":[]}',
    });
  while ((await post()).status === 401) await delay(KEY_POLL_MS);
}
