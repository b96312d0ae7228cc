import { appendFile, mkdir, open } from 'node:fs/promises';
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { recorded, type MadeChange, type ChangeFacts, type ChangeLog, type ChangeRecord } from '../schemas/change.ts';
import { changeFiles } from '../lake/layout/changeFiles.ts';
import type { Storage } from '../lake/storage/storage.ts';
import { openChangeBucket } from '../stream/changeBucket.ts';
import { denialOf } from '../stream/denials.ts';
import type { NatsConnection } from '../stream/nats.ts';
import type { Context } from './command.ts';
import { withStorage } from './storage.ts';
import { withStream, type StreamSettings } from './stream.ts';

/** A change by the user of this command; undefined: nothing is changed, as with `--dry-run`. */
export type OwnChange = Omit<MadeChange, 'by'> | undefined;

type Note = (facts: ChangeFacts) => void;

/** Runs a task with a connection to the stream, as withStream does, and records its change there. */
export function changeStream<T>(
  context: Context,
  change: OwnChange,
  task: (connection: NatsConnection, settings: StreamSettings, note: Note) => Promise<T>,
): Promise<T> {
  return withStream(context, async (connection, settings) => {
    const log = change && (await bucketOf(context, connection, settings.replicas));
    return recorded(log, { ...owned(change) }, (note) => task(connection, settings, note));
  });
}

/** Runs a task with the storage of the lake, as withStorage does, and records its change there. */
export function changeLake<T>(
  context: Context,
  change: OwnChange,
  task: (storage: Storage, note: Note) => Promise<T>,
): Promise<T> {
  return withStorage(context, (storage) =>
    recorded(change && changeFiles(storage), owned(change), (note) => task(storage, note)),
  );
}

/** Makes a change of the identities, and records it in their folder. */
export function changeFolder<T>(
  dir: string,
  change: Omit<MadeChange, 'by'>,
  task: (note: Note) => Promise<T>,
): Promise<T> {
  const write = async (record: ChangeRecord): Promise<void> => {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const file = await open(folderFile(dir), 'a', 0o600);
    try {
      await appendFile(file, `${JSON.stringify(record)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  };
  return recorded({ begin: write, end: write }, owned(change), task);
}

/** File of the changes of identities, a record a line. */
export function folderFile(dir: string): string {
  return join(dir, 'changes.ndjson');
}

function owned(change: OwnChange): MadeChange {
  return { action: 'none', ...change, by: `${userInfo().username}@${hostname()}` };
}

/** The bucket of changes; undefined, with a warning, for an identity that is older than it. */
async function bucketOf(
  { err }: Context,
  connection: NatsConnection,
  replicas: number,
): Promise<ChangeLog | undefined> {
  try {
    return await openChangeBucket(connection, replicas);
  } catch (error) {
    const denial = denialOf(error);
    if (denial === undefined) throw error;
    err(
      `spor: this change is not recorded for "spor audit": ${denial}. Run "spor access init" and reload nats-server\n`,
    );
    return undefined;
  }
}
