import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { jetstream, jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { FORMAT_HEADER } from '../../schemas/envelope.ts';
import type { UsedSchemas } from '../../schemas/compatibility.ts';
import { streamName, streamSubjects } from '../../schemas/subjects.ts';
import { KEYS_BUCKET, SCHEMAS_BUCKET, SCHEMAS_KEY, TOKENS_BUCKET } from '../../stream/buckets.ts';
import { compareAndSetRecord } from '../../stream/compareAndSet.ts';
import type { NatsConnection } from '../../stream/nats.ts';
import { openSecretStore } from '../../stream/secretStore.ts';
import { agreedStreams } from '../../stream/shardCount.ts';
import { streamInfo } from '../../stream/streamInfo.ts';
import { streamAppId } from '../../stream/streamState.ts';
import { ensureStreams } from '../../stream/streams.ts';
import { changeStreamsRecord, readStreamsRecord, withLoss, type Loss } from '../../stream/streamsRecord.ts';
import { CARRIED_HEADER, lastCarried } from '../carryOver/carried.ts';
import type { LakeParts } from '../carryOver/lakeParts.ts';
import { BackupError, type BackedUpStream, type Manifest, type MessageLine, type SecretLine } from './format.ts';

export interface RestoreRequest {
  connection: NatsConnection;
  replicas: number;
  dir: string;
  manifest: Manifest;
  /** What the lake has of a stream, by the stream's id. */
  lakeParts: (appId: string) => LakeParts;
}

export interface RestoreReport {
  secrets: number;
  streams: { name: string; messages: number; restored: number }[];
}

const ACK_MS = 10_000;

/**
 * Restores a backup into an empty stream server; safe to repeat after an interruption.
 *
 * The messages that the lake lacks go into new streams. Messages that came after the backup are recorded as lost.
 * @throws BackupError if the server has streams with messages, keys or tokens of another origin
 */
export async function restoreBackup(request: RestoreRequest): Promise<RestoreReport> {
  const { connection, replicas, dir, manifest } = request;
  const { shards, first = 0 } = manifest;
  const manager = await jetstreamManager(connection);
  const secrets = await readLines<SecretLine>(join(dir, 'secrets.ndjson'));
  await mustBeEmpty(request, manager, secrets);
  const before = (await readStreamsRecord(manager))?.restored;
  if (before?.complete) return { secrets: secrets.length, streams: [] };
  await agreedStreams(connection, manager, { shards, replicas });
  const restored = { id: manifest.id, complete: false };
  const at = new Date().toISOString();
  // Before any stream exists: no mark of completeness may cover what came after the backup.
  await changeStreamsRecord(connection, { shards, replicas }, (now) =>
    lossesOf(manifest, at)
      .filter(({ created }) => !now.moved.includes(created))
      .reduce(withLoss, { ...now, ...(first > 0 ? { first, before: now.before ?? [] } : {}), restored }),
  );
  for (const { bucket, hash, record: secret } of secrets) {
    const store = await openSecretStore(connection, bucket, replicas);
    if ((await store.get(hash)) === undefined) await store.create(hash, secret);
  }
  const schemas = JSON.parse(await readFile(join(dir, 'schemas.json'), 'utf8')) as UsedSchemas | null;
  const place = { bucket: SCHEMAS_BUCKET, key: SCHEMAS_KEY, replicas };
  if (schemas) await compareAndSetRecord<UsedSchemas>(connection, place, (used) => used ?? schemas);
  const streams: RestoreReport['streams'] = [];
  for (const stream of manifest.streams) streams.push(await restoreStream(request, manager, stream));
  await changeStreamsRecord(connection, { shards, replicas }, (now) => ({
    ...now,
    moved: [...new Set([...now.moved, ...manifest.streams.map(({ created }) => created)])],
    restored: { ...restored, complete: true },
  }));
  return { secrets: secrets.length, streams };
}

/** Messages that a stream may have had after the backup. Pure. */
function lossesOf({ streams }: Manifest, at: string): Loss[] {
  return streams.map(({ name, created, lastSequence }) => ({ stream: name, created, after: lastSequence, at }));
}

async function mustBeEmpty(
  { connection, replicas, manifest }: RestoreRequest,
  manager: JetStreamManager,
  secrets: readonly SecretLine[],
): Promise<void> {
  const record = await readStreamsRecord(manager);
  if (record?.restored?.id === manifest.id) return; // goes on
  const advice = 'restore into an empty one, or remove its store first';
  if (record?.restored !== undefined) throw new BackupError(`the stream server holds another backup: ${advice}`);
  for (const { name } of manifest.streams) {
    const info = await streamInfo(manager, name);
    if (info && info.state.last_seq > 0) {
      throw new BackupError(
        `the stream server is not empty: ${info.config.name} has had ${info.state.last_seq} messages; ${advice}`,
      );
    }
  }
  for (const bucket of [KEYS_BUCKET, TOKENS_BUCKET]) {
    const there = await (await openSecretStore(connection, bucket, replicas)).list();
    const foreign = there.filter(({ hash }) => !secrets.some((secret) => secret.hash === hash));
    if (foreign.length > 0)
      throw new BackupError(`the stream server is not empty: ${bucket} has ${foreign.length} entries; ${advice}`);
  }
}

async function restoreStream(
  { connection, replicas, dir, manifest, lakeParts }: RestoreRequest,
  manager: JetStreamManager,
  { shard, name, created, messages, maxBytes }: BackedUpStream,
): Promise<RestoreReport['streams'][number]> {
  const streams = [{ name, subjects: streamSubjects(shard) }];
  await ensureStreams(connection, { streams, beyond: streamName(manifest.shards), maxBytes, replicas });
  const lake = lakeParts(streamAppId({ name, created }));
  const client = jetstream(connection);
  const last = await lastCarried(manager, name);
  let restored = 0;
  for await (const line of linesOf<MessageLine>(join(dir, `${name}.ndjson`))) {
    const { sequence, timeMs, subject } = line;
    const format = line.headers[FORMAT_HEADER]?.[0];
    const message = { subject, sequence, timeMs, data: Buffer.from(line.data, 'base64'), format };
    const data = await lake.missing(message);
    if (!data) continue;
    restored++;
    if (sequence <= last) continue;
    const fields = headers();
    for (const [field, values] of Object.entries(line.headers)) for (const value of values) fields.append(field, value);
    fields.set(CARRIED_HEADER, String(sequence));
    await client.publish(subject, data, { headers: fields, timeout: ACK_MS });
  }
  return { name, messages, restored };
}

async function readLines<T>(file: string): Promise<T[]> {
  const all: T[] = [];
  for await (const line of linesOf<T>(file)) all.push(line);
  return all;
}

async function* linesOf<T>(file: string): AsyncGenerator<T> {
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    if (line !== '') yield JSON.parse(line) as T;
  }
}
