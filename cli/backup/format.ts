import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Version of the format below; a reader takes its own and older ones. */
export const BACKUP_FORMAT = 1;
const MANIFEST = 'spor-backup.json';

/**
 * A backup: a folder with a manifest, which is written last, and these files.
 *
 *     secrets.ndjson   a SecretLine for each key and token; secrets as SHA-256, as the buckets have them
 *     schemas.json     the event schemas in use
 *     settings.json    settings of the environment, without credentials
 *     EVENTS_<n>.ndjson  a MessageLine for each message, in order
 */
export interface Manifest {
  format: number;
  /** Of this backup, so that an interrupted restore can go on. */
  id: string;
  createdAt: string;
  /** Version of Spor. */
  spor: string;
  shards: number;
  /** First shard; absent: 0. */
  first?: number;
  streams: BackedUpStream[];
  /** SHA-256 of each file, in hexadecimal. */
  files: Record<string, string>;
}

export interface BackedUpStream {
  shard: number;
  name: string;
  /** Creation time of the stream. */
  created: string;
  /** Last sequence in the lake at the time of the backup, and last one of the stream. */
  committed: number;
  lastSequence: number;
  messages: number;
  maxBytes: number;
}

export interface SecretLine {
  bucket: string;
  hash: string;
  record: Record<string, unknown>;
}

export interface MessageLine {
  sequence: number;
  timeMs: number;
  subject: string;
  headers: Record<string, string[]>;
  /** Base64. */
  data: string;
}

/** The folder is not a backup that this version can restore; the message says why. */
export class BackupError extends Error {
  override name = 'BackupError';
}

export function manifestPath(dir: string): string {
  return join(dir, MANIFEST);
}

/**
 * Reads a manifest, and compares every file with it.
 * @throws BackupError
 */
export async function readBackup(dir: string): Promise<Manifest> {
  const text = await readFile(manifestPath(dir), 'utf8').catch((cause: unknown) => {
    throw new BackupError(`${dir} is not a backup: it has no ${MANIFEST}, which "spor backup" writes last`, { cause });
  });
  const manifest = parse(text, dir);
  if (manifest.format > BACKUP_FORMAT) {
    throw new BackupError(
      `${dir} has format ${manifest.format}, and this version of Spor reads up to ${BACKUP_FORMAT}: restore it with ${manifest.spor} or newer`,
    );
  }
  for (const [name, expected] of Object.entries(manifest.files)) {
    const found = await sha256(join(dir, name)).catch(() => 'missing');
    if (found !== expected)
      throw new BackupError(`${dir} is damaged: ${name} ${found === 'missing' ? 'is missing' : 'has changed'}`);
  }
  return manifest;
}

function parse(text: string, dir: string): Manifest {
  try {
    const manifest = JSON.parse(text) as Partial<Manifest> | null;
    if (Number.isSafeInteger(manifest?.format) && manifest?.files && manifest.streams) return manifest as Manifest;
  } catch {
    // said below
  }
  throw new BackupError(`${dir} is not a backup: its ${MANIFEST} has another form`);
}

export async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
