import { positionOf } from '../../lake/delta/positions.ts';
import { contradicts, newest } from '../../stream/incarnation.ts';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../../runtime/log.ts';
import type { Column } from '../../schemas/columns.ts';
import type { Registry } from '../../schemas/registry.ts';
import { Duplicates } from '../../lake/dedupe/duplicates.ts';
import { ERASURES_ID } from '../../lake/delta/guards.ts';
import type { Snapshot } from '../../lake/delta/snapshot.ts';
import { NO_ERASURES, type ErasureList } from '../../lake/erasure/list.ts';
import type { EngineSession } from '../../lake/duckdb/engine.ts';
import { ParquetBuild } from '../../lake/flush/parquetBuild.ts';
import type { WrittenFile } from '../../lake/flush/parquetWriter.ts';
import { Window } from '../../lake/window/window.ts';
import type { StreamMessage } from '../../stream/message.ts';
import type { CommittedState, ShardStream, ShardStreams } from '../../stream/shardStreams.ts';
import type { StreamState } from '../../stream/streamState.ts';
import type { LocalFiles } from '../../lake/files/localFiles.ts';
import { tailIds } from './tailIds.ts';

/** Column by which a reader separates committed rows from the others. */
export const SEQUENCE_COLUMN: Column = {
  name: 'stream_sequence',
  type: 'long',
  description: 'Sequence of the message the row came in.',
  sql: 'batch.sequence',
};

/** Consecutive messages of the tenant as rows in Parquet files. */
interface Increment {
  last: number;
  bytes: number;
  dir: string;
  files: WrittenFile[];
  readers: number;
  dropped: boolean;
}

export interface TenantTailOptions {
  tenantId: string;
  streams: ShardStreams;
  stream: ShardStream;
  registry: Registry;
  session: EngineSession;
  /** Folder for this tail alone. */
  dir: string;
  /** Most bytes of messages in the tail. Later messages are left out, and `cut` says so. */
  maxBytes: number;
  dedupe: { maxBytes: number; windowMs: number };
  localFiles: LocalFiles;
  erasures: (tenantId: string) => Promise<ErasureList>;
  log: Logger;
}

/** The stream, and the part of it that the tail holds. */
export interface TailState {
  stream: StreamState;
  /** Sequence of the last message read; 0 if there was none. */
  last: number;
  /** True if later messages are left out, because the tail exceeds its limit. */
  cut: boolean;
}

/** Number of files at which the tail is read again into one. Each file slows every query. */
const MOST_INCREMENTS = 24;
const MOST_TRIES = 3;

/**
 * One tenant's uncommitted events as Parquet files. The tail reads each message above the tenant's committed position once, with
 * the processor's code. Committed rows are dropped.
 *
 * That position is the `txn` of the events table, or the shard's if it is further. The quarantine may be ahead of it. Readers
 * therefore take only rows above the sequence of each table.
 *
 * Resends are recognised by the tail's own ids, and by the lake as of a snapshot taken with the tail. Later commits hold only
 * messages that the tail has read. The ids are therefore valid while the tail has no gap, and are discarded with it. Calls must
 * not overlap.
 */
export class TenantTail {
  readonly #options: TenantTailOptions;
  #increments: Increment[] = [];
  #duplicates: Duplicates;
  /** Erasures that apply to the rows. */
  #erasures = NO_ERASURES;
  #made = 0;
  /** Sequence of the last message in the increments. They have no gap. */
  #last = 0;
  #created = '';

  constructor(options: TenantTailOptions) {
    this.#options = options;
    this.#duplicates = new Duplicates(options.dedupe);
  }

  /**
   * Read new messages.
   *
   * `snapshot` reads the events table after the committed position. The table therefore holds every message
   * that has left the stream. It may be ahead of the shard, and its tenant's quarantine is as far, in a version read later.
   * @throws Error if the stream server does not answer, or the stream changes on every try
   */
  async refresh(snapshot: () => Promise<Snapshot>): Promise<TailState | undefined> {
    const { streams, stream, tenantId, maxBytes, erasures } = this.#options;
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const before = await streams.committed(stream, tenantId);
      if (!before) return undefined;
      const events = await snapshot();
      this.#follow(before, Math.max(before.floor, events.txns.get(before.appId) ?? 0));
      const room = maxBytes - this.#increments.reduce((sum, { bytes }) => sum + bytes, 0);
      const from = this.#last + 1;
      const read =
        room > 0
          ? await streams.read(stream, { tenantId, from, to: before.lastSequence, maxBytes: room })
          : { messages: [], complete: false };
      const after = await streams.state(stream);
      // A message trimmed during the read is committed, but maybe after the snapshot.
      if (after?.created !== before.created || after.firstSequence > from) {
        this.#forget();
        continue;
      }
      const known = newest(positionOf(events, after.appId), { sequence: this.#last });
      if (contradicts(known, after))
        throw new Error(`${stream.name} lacks its message ${known.sequence}: it was set back`);
      if ((events.txns.get(ERASURES_ID) ?? 0) > this.#erasures.version) {
        this.#erasures = await erasures(tenantId);
        this.#forget();
        continue;
      }
      if (read.messages.length > 0) await this.#add(read.messages, before, events);
      return { stream: before, last: this.#last, cut: !read.complete };
    }
    throw new Error(`${stream.name} changed ${MOST_TRIES} times while the tail of ${tenantId} was read`);
  }

  /** Hold the files of possibly uncommitted rows until they are released. */
  hold(): { files: WrittenFile[]; release: () => Promise<void> } {
    const held = [...this.#increments];
    for (const increment of held) increment.readers++;
    return {
      files: held.flatMap(({ files }) => files),
      release: async () => {
        for (const increment of held.splice(0)) {
          increment.readers--;
          await this.#removeUnread(increment);
        }
      },
    };
  }

  async close(): Promise<void> {
    this.#forget();
    await rm(this.#options.dir, { recursive: true, force: true });
  }

  /** Drop committed rows. Start again after a gap, or at too many files. */
  #follow({ created }: CommittedState, committed: number): void {
    if (created !== this.#created || committed > this.#last || this.#increments.length >= MOST_INCREMENTS)
      this.#forget();
    this.#created = created;
    this.#last = Math.max(this.#last, committed);
    const gone = this.#increments.filter(({ last }) => last <= committed);
    this.#increments = this.#increments.filter(({ last }) => last > committed);
    this.#drop(gone);
  }

  async #add(messages: readonly StreamMessage[], { epoch }: StreamState, events: Snapshot): Promise<void> {
    const { tenantId, stream, registry, session, dir, localFiles, log } = this.#options;
    const window = new Window({
      dir: join(dir, String(this.#made++)),
      place: stream,
      epoch,
      limits: { bytes: Infinity, messages: Infinity, ageMs: Infinity },
    });
    try {
      for (const message of messages) {
        window.add(message, { events: 0, quarantine: 0 });
        if (window.spooled) await window.drain();
      }
      const closed = await window.close();
      const preparation = new ParquetBuild(closed, {
        registry,
        session,
        duplicates: this.#duplicates,
        stored: tailIds(session, events, localFiles),
        erasures: new Map([[tenantId, this.#erasures]]),
        extra: [SEQUENCE_COLUMN],
        ephemeral: true,
        log,
        onMemory: () => undefined,
      });
      const { files } = await preparation.run();
      this.#duplicates.commit();
      this.#last = closed.span.lastSequence;
      this.#increments.push({
        last: closed.span.lastSequence,
        bytes: closed.span.bytes,
        dir: closed.dir,
        files,
        readers: 0,
        dropped: false,
      });
    } catch (error) {
      await window.discard();
      this.#forget();
      throw error;
    }
  }

  #forget(): void {
    this.#drop(this.#increments);
    this.#increments = [];
    this.#duplicates = new Duplicates(this.#options.dedupe);
    this.#last = 0;
    this.#created = '';
  }

  #drop(increments: readonly Increment[]): void {
    for (const increment of increments) {
      increment.dropped = true;
      this.#removeUnread(increment).catch((error: unknown) => {
        this.#options.log.warn({ err: error }, 'files of the live tail could not be removed');
      });
    }
  }

  async #removeUnread({ dropped, readers, dir }: Increment): Promise<void> {
    if (dropped && readers === 0) await rm(dir, { recursive: true, force: true });
  }
}
