import { randomUUID } from 'node:crypto';
import { jetstreamManager } from '@nats-io/jetstream';
import { readIngestConfig, type IngestConfig } from '../../ingest/config.ts';
import { startIngest } from '../../ingest/service.ts';
import { createLog, type Logger } from '../../runtime/log.ts';
import { connectNats, type NatsConnection } from '../../stream/nats.ts';
import { Resources } from '../../runtime/resources.ts';
import { openSecretStore, type SecretStore } from '../../stream/secretStore.ts';
import { readMessageHeader, type BatchHeader } from '../../schemas/envelope.ts';
import { parseExact } from '../../schemas/normalise/exactNumber.ts';
import { newSecret, secretHash, type KeyRecord } from '../../schemas/keys.ts';
import { KEYS_BUCKET, SCHEMAS_BUCKET } from '../../stream/buckets.ts';
import type { Role } from '../../stream/identities/rights.ts';
import { ensureStreams } from '../../stream/streams.ts';
import { untilServed } from '../../stream/untilServed.ts';
import { parseReceipt, streamEpoch } from '../../schemas/receipt.ts';
import { streamName, streamSubjects } from '../../schemas/subjects.ts';
import { asRole } from '../support/locks.ts';
import { until } from '../support/until.ts';

export const log = createLog('test', process.env.TEST_LOG ?? 'silent');

/** One batch as it lies in the stream. */
export interface StoredBatch {
  subject: string;
  sequence: number;
  header: BatchHeader;
  /** Event lines without `b`, in order. */
  events: Record<string, unknown>[];
}

/** A real Event Receiver on a free port, and a look into its streams. */
export interface Receiver {
  url: string;
  port: number;
  connection: NatsConnection;
  keys: SecretStore<KeyRecord>;
  /** Makes a key and waits until the receiver knows it. */
  createKey(record?: Partial<KeyRecord>): Promise<string>;
  post(body: unknown, options?: PostOptions): Promise<Response>;
  /** Every batch of every shard, in stream order. */
  stored(): Promise<StoredBatch[]>;
  /** The batch a receipt names. */
  resolve(receiptId: string): Promise<StoredBatch>;
  metric(line: string): Promise<number>;
  close(): Promise<void>;
}

export interface PostOptions {
  headers?: Record<string, string>;
  query?: string;
}

/** Starts a receiver in this process, with an injected clock where the test needs one. */
export async function startReceiver(
  natsUrl: string,
  options: { env?: Record<string, string>; clock?: () => number; logger?: Logger; role?: Role } = {},
): Promise<Receiver> {
  const resources = new Resources();
  const config = readIngestConfig({
    INGEST_PORT: '0',
    NATS_URL: asRole(natsUrl, options.role ?? 'ingest'),
    STREAM_MAX_BYTES: '100000000',
    ...options.env,
  });
  const connection = await connectNats({ url: natsUrl, name: 'test', log });
  await untilServed(() => makeStreams(connection, config), 'the streams of a test', log);
  const clock = options.clock ? { clock: options.clock } : {};
  const { port } = await startIngest({ config, log: options.logger ?? log, resources, ...clock });
  const looking = await look(connection, config.shards);
  const url = `http://127.0.0.1:${port}`;
  const post = postTo(url);
  return {
    url,
    port,
    connection,
    post,
    ...looking,
    metric: (line) => metric(url, line),
    close: async () => {
      await resources.close();
      await connection.close();
    },
    async createKey(record = {}) {
      const secret = await makeKey(looking.keys, record);
      await until(
        async () =>
          (await post({}, { headers: { 'x-instrumentation-key': secret }, query: '?dryRun=1' })).status !== 401,
      );
      return secret;
    },
  };
}

/** Makes the streams and buckets that processors and query servers make for receivers. */
async function makeStreams(
  connection: NatsConnection,
  { shards, streamMaxBytes: maxBytes, replicas }: IngestConfig,
): Promise<void> {
  const streams = Array.from({ length: shards }, (_, shard) => ({
    name: streamName(shard),
    subjects: streamSubjects(shard),
  }));
  // A server alone keeps one copy, whatever the receiver's settings.
  const copies = connection.info?.cluster ? replicas : 1;
  await ensureStreams(connection, { streams, beyond: streamName(shards), maxBytes, replicas: copies });
  for (const bucket of [KEYS_BUCKET, SCHEMAS_BUCKET]) await openSecretStore(connection, bucket, copies);
}

/** Adds a key to the bucket. */
export async function makeKey(keys: SecretStore<KeyRecord>, record: Partial<KeyRecord> = {}): Promise<string> {
  const secret = newSecret('ik');
  await keys.create(secretHash(secret), {
    tenantId: 'demo-shop',
    segmentId: 'web',
    kind: 'browser',
    origins: [],
    label: 'test',
    createdAt: new Date().toISOString(),
    ...record,
  });
  return secret;
}

/** POSTs to a receiver: text and bytes as they are, other values as JSON. */
export function postTo(url: string): Receiver['post'] {
  return (body, { headers = {}, query = '' } = {}) =>
    fetch(`${url}/api/events${query}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' || body instanceof Uint8Array ? (body as string) : JSON.stringify(body),
    });
}

async function metric(url: string, line: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const found = text.split('\n').find((row) => row.startsWith(line));
  return found ? Number(found.split(' ').at(-1)) : NaN;
}

/** What lies in the streams and the key bucket. */
export async function look(
  connection: NatsConnection,
  shards: number,
): Promise<Pick<Receiver, 'keys' | 'stored' | 'resolve'>> {
  const manager = await jetstreamManager(connection);
  // What is asked while the client reconnects is lost, and only times out.
  const connected = (): Promise<void> => until(async () => (await connection.flush(), true));
  const message = async (shard: number, seq: number): Promise<StoredBatch[]> => {
    const stored = await manager.streams.getMessage(streamName(shard), { seq });
    if (!stored) throw new Error(`no message ${seq} in shard ${shard}`);
    return readBatches(stored.subject, seq, stored.data);
  };
  return {
    keys: await openSecretStore<KeyRecord>(connection, KEYS_BUCKET, 1),
    async stored() {
      await connected();
      const batches: StoredBatch[] = [];
      for (let shard = 0; shard < shards; shard++) {
        const { state } = await manager.streams.info(streamName(shard));
        for (let seq = state.first_seq; state.messages > 0 && seq <= state.last_seq; seq++) {
          batches.push(...(await message(shard, seq)));
        }
      }
      return batches;
    },
    async resolve(receiptId) {
      await connected();
      const receipt = parseReceipt(receiptId);
      if (!receipt) throw new Error(`${receiptId} is no receipt`);
      const { created } = await manager.streams.info(streamName(receipt.shard));
      if (streamEpoch(created) !== receipt.epoch) throw new Error(`${receiptId} is of another stream`);
      return (await message(receipt.shard, receipt.sequence))[receipt.batch]!;
    },
  };
}

function readBatches(subject: string, sequence: number, data: Uint8Array): StoredBatch[] {
  const { header, linesFrom } = readMessageHeader(data);
  const batches = header.batches.map((batch) => ({ subject, sequence, header: batch, events: [] as object[] }));
  const text = new TextDecoder('utf-8', { fatal: true }).decode(data.subarray(linesFrom));
  if (text !== '' && !text.endsWith('\n')) throw new Error('the last line has no end');
  for (const line of text.split('\n').filter((part) => part !== '')) {
    if (!line.startsWith('{"b":')) throw new Error(`line begins ${line.slice(0, 20)}`);
    const { b, ...event } = parseExact(line) as { b: number };
    batches[b]!.events.push(event);
  }
  for (const batch of batches)
    if (batch.events.length !== batch.header.accepted) throw new Error('accepted is not right');
  return batches as StoredBatch[];
}

/** A valid event of a type, now, with a new id; `fields` are added or replaced. */
export function anEvent(
  type: keyof typeof REQUIRED = 'Search',
  fields: Record<string, unknown> = {},
): Record<string, unknown> {
  const timestamp = new Date().toISOString();
  return { eventId: randomUUID(), type, timestamp, sessionId: 'session-1', ...REQUIRED[type], ...fields };
}

const REQUIRED = {
  Search: { phrase: 'running shoes', resultsCount: 128 },
  ProductClicked: { productId: 'SKU-1' },
  ProductAddedToCart: { productId: 'SKU-1', quantity: 1 },
  ProductViewed: { productId: 'SKU-1' },
  ProductsShown: { products: [{ productId: 'SKU-1', position: 1 }] },
  ProductRemovedFromCart: { productId: 'SKU-1', quantity: 1 },
  CheckoutStarted: {},
  OrderCreated: {
    orderId: 'O-1',
    currency: 'DKK',
    total: 499.95,
    lines: [{ productId: 'SKU-1', quantity: 1, unitPrice: 499.95 }],
  },
};
