import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { jetstreamManager, type JetStreamManager, type StoredMsg } from '@nats-io/jetstream';
import { shardNumbers, streamName } from '../../schemas/subjects.ts';
import {
  CHANGES_BUCKET,
  KEYS_BUCKET,
  PROGRESS_BUCKET,
  QUOTAS_BUCKET,
  SCHEMAS_BUCKET,
  SCHEMAS_KEY,
  shardKey,
  TOKENS_BUCKET,
} from '../../stream/buckets.ts';
import type { NatsConnection } from '../../stream/nats.ts';
import { floorOf, type ShardProgress } from '../../stream/progress.ts';
import { readRecord } from '../../stream/readRecord.ts';
import { openSecretStore } from '../../stream/secretStore.ts';
import { shardRange } from '../../stream/shardCount.ts';
import { streamInfo } from '../../stream/streamInfo.ts';
import { nextStored } from '../../stream/nextStored.ts';
import { readStreamsRecord } from '../../stream/streamsRecord.ts';
import { writeWhole } from '../wholeFile.ts';
import {
  BACKUP_FORMAT,
  BackupError,
  manifestPath,
  sha256,
  type BackedUpStream,
  type Manifest,
  type MessageLine,
} from './format.ts';

export interface BackupRequest {
  connection: NatsConnection;
  replicas: number;
  dir: string;
  /** Also committed messages, as far as the streams hold them. */
  all: boolean;
  /** Settings to keep, without credentials. */
  settings: Record<string, string>;
  spor: string;
}

/**
 * Writes a backup into a new folder, whole or not at all.
 * @throws BackupError if the folder has files, there are no streams, or one is set back
 */
export async function writeBackup(request: BackupRequest): Promise<Manifest> {
  const { connection, dir, settings, spor } = request;
  if ((await readdir(dir).catch(() => [])).length > 0) throw new BackupError(`${dir} has files: name a new folder`);
  const manager = await jetstreamManager(connection);
  const range = await shardRange(manager);
  const { first, shards } = range;
  if (shards === 0) throw new BackupError('there are no streams to back up: start a receiver or a processor first');
  const setBack = Object.keys((await readStreamsRecord(manager))?.setBack ?? {});
  if (setBack.length > 0) {
    throw new BackupError(`shard ${setBack.join(', ')} is set back: run "npx spor stream carry-over" first`);
  }
  const unfinished = join(dirname(dir), `.${basename(dir)}.${randomUUID()}`);
  await mkdir(unfinished, { recursive: true });
  try {
    await writeSecrets(request, unfinished);
    const schemas = await readRecord(manager, { bucket: SCHEMAS_BUCKET, key: SCHEMAS_KEY });
    await writeFile(join(unfinished, 'schemas.json'), JSON.stringify(schemas ?? null));
    await writeFile(join(unfinished, 'settings.json'), JSON.stringify(settings, undefined, 2));
    const streams: BackedUpStream[] = [];
    for (const shard of shardNumbers(range)) {
      const stream = await writeStream(manager, { shard, dir: unfinished, all: request.all });
      if (stream) streams.push(stream);
    }
    const files: Manifest['files'] = {};
    for (const name of await readdir(unfinished)) files[name] = await sha256(join(unfinished, name));
    const createdAt = new Date().toISOString();
    const manifest: Manifest = {
      format: BACKUP_FORMAT,
      id: randomUUID(),
      createdAt,
      spor,
      shards,
      first,
      streams,
      files,
    };
    await writeWhole(manifestPath(unfinished), [JSON.stringify(manifest, undefined, 2)]);
    await rm(dir, { recursive: true, force: true }); // empty, as seen above
    await rename(unfinished, dir);
    return manifest;
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

async function writeSecrets({ connection, replicas }: BackupRequest, dir: string): Promise<void> {
  const lines: string[] = [];
  for (const bucket of [KEYS_BUCKET, TOKENS_BUCKET, QUOTAS_BUCKET, CHANGES_BUCKET]) {
    const store = await openSecretStore(connection, bucket, replicas);
    for (const { hash, record } of await store.list()) lines.push(`${JSON.stringify({ bucket, hash, record })}\n`);
  }
  await writeWhole(join(dir, 'secrets.ndjson'), lines);
}

async function writeStream(
  manager: JetStreamManager,
  { shard, dir, all }: { shard: number; dir: string; all: boolean },
): Promise<BackedUpStream | undefined> {
  const name = streamName(shard);
  // The position first: what is committed meanwhile is in the backup, and in the lake.
  const progress = await readRecord<ShardProgress>(manager, { bucket: PROGRESS_BUCKET, key: shardKey(shard) });
  const info = await streamInfo(manager, name);
  if (!info) return undefined;
  const { created, config, state } = info;
  const committed = Math.max(floorOf(progress, created), state.first_seq - 1);
  let messages = 0;
  async function* lines(): AsyncGenerator<string> {
    for (let next = all ? state.first_seq : committed + 1; next <= state.last_seq;) {
      const stored = await nextStored(manager, name, next);
      if (!stored || stored.seq > state.last_seq) return;
      next = stored.seq + 1;
      messages++;
      yield `${JSON.stringify(lineOf(stored))}\n`;
    }
  }
  await writeWhole(join(dir, `${name}.ndjson`), lines());
  return { shard, name, created, committed, lastSequence: state.last_seq, messages, maxBytes: config.max_bytes };
}

function lineOf({ seq, time, subject, header, data }: StoredMsg): MessageLine {
  const headers = Object.fromEntries([...header].filter(([name]) => !name.startsWith('Nats-')));
  return { sequence: seq, timeMs: time.getTime(), subject, headers, data: Buffer.from(data).toString('base64') };
}
