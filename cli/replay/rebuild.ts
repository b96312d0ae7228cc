import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Duplicates, type DuplicatesOptions, type StoredIds } from '../../lake/dedupe/duplicates.ts';
import { lakeIds, newestIdFiles } from '../../lake/dedupe/lakeIds.ts';
import { idFile } from '../../lake/dedupe/plan.ts';
import type { Table } from '../../lake/delta/table.ts';
import type { EngineSession } from '../../lake/duckdb/engine.ts';
import { literal } from '../../lake/duckdb/sqlText.ts';
import { ParquetBuild } from '../../lake/flush/parquetBuild.ts';
import type { WrittenFile } from '../../lake/flush/parquetWriter.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import type { ShardStream, ShardStreams } from '../../stream/shardStreams.ts';
import type { StreamMessage } from '../../stream/message.ts';
import { Window, type Stored } from '../../lake/window/window.ts';
import type { ErasedPlace } from '../../lake/flush/erased.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Registry } from '../../schemas/registry.ts';
import type { ErasedBefore } from './erased.ts';
import { mayHoldBefore } from './range.ts';

/** A file from the messages between two sequences. */
export interface RebuiltFile extends WrittenFile {
  firstSequence: number;
  lastSequence: number;
}

/** Result of a rebuild. */
export interface Rebuilt {
  files: RebuiltFile[];
  /** Omitted events of erased people. */
  erased: ErasedPlace[];
}

export interface RebuildOptions {
  tenantId: string;
  streams: ShardStreams;
  stream: ShardStream;
  epoch: number;
  /** First sequence to read. */
  from: number;
  /** End of the replay: the tables' committed positions when files were listed. */
  upTo: Stored;
  events: Table;
  storage: Storage;
  session: EngineSession;
  registry: Registry;
  /** Erased people, whose events are omitted. */
  erasures: ErasedBefore;
  dedupe: DuplicatesOptions;
  windowBytes: number;
  dir: string;
  log: Logger;
  /** Called after each window. */
  onProgress: (facts: { sequence: number; messages: number }) => void;
}

/**
 * Rebuild files from a tenant's messages, by the code of the processor.
 * A resend has its id in an earlier message of the range, or in an earlier row of the lake.
 */
export async function rebuild(options: RebuildOptions): Promise<Rebuilt> {
  const { streams, stream, tenantId, windowBytes, upTo, from } = options;
  const last = Math.max(upTo.events, upTo.quarantine);
  const rebuilt: RebuiltFile[] = [];
  const erased: ErasedPlace[] = [];
  const duplicates = new Duplicates(options.dedupe);
  const stored = storedIds(options, rebuilt);
  let windows = 0;
  let messages = 0;
  for (let next = from; next <= last;) {
    const read = await streams.read(stream, { tenantId, from: next, maxBytes: windowBytes });
    for (const part of uniform(read.messages, upTo)) {
      const dir = join(options.dir, `window-${windows++}`);
      const made = await writePart(part, { ...options, dir, duplicates, stored });
      rebuilt.push(...made.files);
      erased.push(...made.erased);
      messages += part.messages.length;
      options.onProgress({ sequence: part.messages.at(-1)!.sequence, messages });
    }
    if (read.complete) break;
    next = read.messages.at(-1)!.sequence + 1;
  }
  return { files: rebuilt, erased };
}

/** Messages that go into the same tables. */
interface Part {
  messages: StreamMessage[];
  wanted: { events: boolean; quarantine: boolean };
}

/** Split messages at the tables' positions, and drop those after both. */
function uniform(messages: readonly StreamMessage[], upTo: Stored): Part[] {
  const parts: Part[] = [];
  for (const message of messages) {
    const wanted = { events: message.sequence <= upTo.events, quarantine: message.sequence <= upTo.quarantine };
    if (!wanted.events && !wanted.quarantine) break;
    const open = parts.at(-1);
    const same = open?.wanted.events === wanted.events && open.wanted.quarantine === wanted.quarantine;
    if (same) open.messages.push(message);
    else parts.push({ messages: [message], wanted });
  }
  return parts;
}

async function writePart(
  { messages, wanted }: Part,
  options: RebuildOptions & { duplicates: Duplicates; stored: StoredIds },
): Promise<Rebuilt> {
  const { tenantId, stream, epoch, dir, registry, session, duplicates, stored, log } = options;
  const erasures = new Map([[tenantId, options.erasures.list]]);
  const erasedBefore = options.erasures.file;
  const limits = { bytes: Infinity, messages: Infinity, ageMs: Infinity };
  const window = new Window({ dir, place: stream, epoch, limits });
  const skip = { events: wanted.events ? 0 : Infinity, quarantine: wanted.quarantine ? 0 : Infinity };
  for (const message of messages) {
    window.add(message, skip);
    if (window.spooled) await window.drain();
  }
  const closed = await window.close();
  const onMemory = (): void => undefined;
  const preparation = new ParquetBuild(closed, {
    registry,
    session,
    duplicates,
    stored,
    erasures,
    log,
    onMemory,
    ...(erasedBefore === undefined ? {} : { erasedBefore }),
  });
  const { files, erased } = await preparation.run();
  duplicates.commit();
  for (const file of Object.values(preparation.window.files)) await rm(file, { force: true });
  const { firstSequence, lastSequence } = closed.span;
  return { files: files.map((file) => ({ ...file, firstSequence, lastSequence })), erased };
}

/** Ids of rows from before the range, and of rebuilt rows. */
function storedIds(options: RebuildOptions, rebuilt: readonly RebuiltFile[]): StoredIds {
  const { session, storage, events, epoch, from, dir } = options;
  const newest = newestIdFiles(storage, () => events, join(dir, 'ids'));
  const list = async () => {
    const files = [...(await events.snapshot()).files.values()];
    return files.filter((file) => mayHoldBefore(file, { epoch }, from)).map(idFile);
  };
  const before = lakeIds(session, { ...newest, list }, isBefore(epoch, from));
  const sinceThen = lakeIds(session, {
    list: () =>
      Promise.resolve(
        rebuilt
          .filter(({ table }) => table === 'events')
          .map(({ localFile, stats }) => idFile({ path: localFile, stats: JSON.stringify(stats) })),
      ),
    withLocal: (_tenant, files, task) => task(files.map(({ path }) => path)),
  });
  const isRebuilt = ({ path }: { path: string }): boolean => path.startsWith(dir);
  return {
    files: async (tenantId) => [...(await before.files(tenantId)), ...(await sinceThen.files(tenantId))],
    read: async (tenantId, files) => {
      const own = files.filter(isRebuilt);
      const others = files.filter((file) => !isRebuilt(file));
      const read = others.length > 0 ? await before.read(tenantId, others) : '';
      return read + (own.length > 0 ? await sinceThen.read(tenantId, own) : '');
    },
    find: async (tenantId, files) => {
      const own = files.filter(isRebuilt);
      const others = files.filter((file) => !isRebuilt(file));
      const found = others.length > 0 ? await before.find(tenantId, others) : '';
      return found + (own.length > 0 ? await sinceThen.find(tenantId, own) : '');
    },
  };
}

/** SQL of rows of an earlier sequence or stream, by receipt. */
function isBefore(epoch: number, sequence: number): string {
  const part = (index: number): string => `split_part(receipt_id, '-', ${index})`;
  const text = sequence.toString(36);
  return `${part(1)} <> ${literal(epoch.toString(36))} OR (length(${part(3)}), ${part(3)}) < (${text.length}, ${literal(text)})`;
}
