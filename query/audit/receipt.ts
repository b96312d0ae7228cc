import type { RejectedEvent } from '../../schemas/envelope.ts';
import { parseReceipt, streamEpoch, type Receipt } from '../../schemas/receipt.ts';
import { streamName } from '../../schemas/subjects.ts';
import type { Snapshot } from '../../lake/delta/snapshot.ts';
import { LakeError } from '../../lake/errors.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import type { TableCache } from '../../lake/layout/tableCache.ts';
import { tableRoot, type TableName } from '../../lake/layout/tables.ts';
import type { CommitCounts } from '../../lake/counts/commitCounts.ts';
import { positionsOf } from '../../lake/counts/commits.ts';
import { ERASURES_ID } from '../../lake/delta/guards.ts';
import type { ErasedPositions } from './erasedPositions.ts';
import { findFlush } from './findFlush.ts';
import { heldBatch, type HeldBatch } from './heldBatch.ts';
import { rowsOfEvents, rowsOfReceipt, type RowPlace, type RowReading, type TableToRead } from './rows.ts';
import { committedSequence } from './committed.ts';
import { positionOf } from '../../lake/delta/positions.ts';
import { findStreamFault } from './streamFault.ts';
import type { StreamState } from '../../stream/streamState.ts';
import type { ShardStreams } from '../../stream/shardStreams.ts';

/**
 * Outcome of one event of a batch:
 * - `accepted`: acknowledged, and not committed yet.
 * - `committed`: a row of `file`.
 * - `duplicate`: its id was stored before; `of` names that row while the lake has it and the reader may see it. With the
 *   code `duplicate_differs`, its content is not that of the first event.
 * - `quarantined`: rejected, or accepted and unstorable; `file` is absent before the commit.
 * - `erased`: removed on request, from the events or the quarantine, or before it became a row.
 * - `missing`: at or before the committed position, and in no table. This must not happen; `spor reconcile` says more.
 */
export const OUTCOMES = ['accepted', 'committed', 'duplicate', 'quarantined', 'erased', 'missing'] as const;

/** Code and message of a duplicate whose content is not that of the first event. */
const DIFFERS = {
  code: 'duplicate_differs',
  message:
    'An event with this id and other content came first, and this one was not stored. Give each event an id of its own. To change an order, send OrderCorrected.',
} as const;

export interface EventOutcome {
  /** Position in the sender's batch; null for a whole body or message. */
  index: number | null;
  eventId: string | null;
  type: string | null;
  state: (typeof OUTCOMES)[number];
  /** Path of the data file in the lake, as of `versions`. */
  file?: string;
  of?: { receiptId: string; index: number | null; file: string };
  code?: string;
  path?: string;
  message?: string;
}

export interface ReceiptAnswer {
  receiptId: string;
  tenantId: string;
  segmentId: string;
  /** Time of receipt, ISO 8601. */
  receivedAt: string;
  /** `expired`: the stream no longer has the batch. Then `events` lists only the lake's part. */
  stream: 'held' | 'expired';
  /** Accepted and rejected events; absent if the stream no longer has the batch. */
  accepted?: number;
  refused?: number;
  /** Number of events in each state. */
  states: Partial<Record<EventOutcome['state'], number>>;
  /** Versions of the tables that the answer is from. */
  versions: Record<TableName, number>;
  /** Version of the events table that added the batch's rows. */
  committedIn?: number;
  events: EventOutcome[];
}

export interface ReceiptSources extends RowReading {
  storage: Storage;
  tables: TableCache;
  streams: ShardStreams;
  erasures: ErasedPositions;
}

/**
 * Find the outcome of each event of a batch.
 *
 * No index is needed: the receipt names the message, and the log names the files that may hold the rows.
 * @param segmentIds whose receipts may be seen; empty: all of the tenant
 * @throws LakeError receipt_malformed; receipt_unknown, also for another tenant's; receipt_reading, storage_unavailable
 */
export async function findReceipt(
  id: string,
  reader: { tenantId: string; segmentIds: readonly string[] },
  sources: ReceiptSources,
): Promise<ReceiptAnswer> {
  const receipt = parseReceipt(id);
  if (!receipt) {
    throw new LakeError(
      'receipt_malformed',
      `${JSON.stringify(id.slice(0, 80))} is not a receipt. Receipts look like mgq3x0ab-2-1z-0.`,
    );
  }
  const { tenantId, segmentIds } = reader;
  const place = await sources.streams.placeOf(tenantId, receipt.shard);
  if (!place && (await sources.streams.of(tenantId))) throw unknown(id);
  const state = await sources.streams.committed(receipt, tenantId);
  const isCurrent = state?.epoch === receipt.epoch;
  const floor = isCurrent ? state.floor : 0;
  const setBack = isCurrent && (await isSetBack(state, receipt, { tenantId }, sources));
  if (isCurrent && !setBack && receipt.sequence > state.lastSequence) throw unknown(id);
  const message = isCurrent ? await sources.streams.message(receipt) : undefined;
  const held = message && place ? heldBatch(message, receipt, { ...place, tenantId }) : undefined;
  if (message && !held) throw unknown(id);
  const lookup = new Lookup(id, { receipt, ...reader, held, floor, setBack }, sources);
  const answer = await lookup.run();
  if (!answer || (segmentIds.length > 0 && !segmentIds.includes(answer.segmentId))) throw unknown(id);
  return answer;
}

/** Whether the receipt's stream lacks acknowledged messages: its sequences may then name two messages each. */
async function isSetBack(
  state: StreamState,
  { shard }: Receipt,
  { tenantId }: { tenantId: string },
  { tables, streams }: ReceiptSources,
): Promise<boolean> {
  const position = positionOf(await tables('events', tenantId).snapshot(), state.appId);
  const now = await streams.state({ shard });
  if (now?.created !== state.created) return false;
  return (await findStreamFault(streams, shard, now, position))?.code === 'stream_set_back';
}

function unknown(id: string): LakeError {
  return new LakeError(
    'receipt_unknown',
    `Receipt ${id} is unknown for this tenant. It is from another tenant or environment, or too old.`,
  );
}

interface Subject {
  receipt: Receipt;
  tenantId: string;
  /** Segments of the reader; empty: all. */
  segmentIds: readonly string[];
  held: HeldBatch | undefined;
  /** The committed position of the receipt's stream; 0 if unknown. */
  floor: number;
  /** Rows of the receipt may be those of another message. */
  setBack: boolean;
}

/** One lookup. The tables are read after the stream, so that no event is missed in between. */
class Lookup {
  readonly #id: string;
  readonly #subject: Subject;
  readonly #sources: ReceiptSources;

  constructor(id: string, subject: Subject, sources: ReceiptSources) {
    this.#id = id;
    this.#subject = subject;
    this.#sources = sources;
  }

  async run(): Promise<ReceiptAnswer | undefined> {
    const { tenantId, held } = this.#subject;
    const [events, quarantine] = await Promise.all([this.#read('events'), this.#read('quarantine')]);
    const first = events.rows[0] ?? quarantine.rows[0];
    const appId = this.#appId(events.snapshot) ?? this.#appId(quarantine.snapshot);
    const account = appId === undefined ? undefined : await this.#flush(appId, events.snapshot.version);
    if (!held && !first) return undefined; // the log may have duplicates, but not their segment
    const fates = held
      ? await this.#fatesOfHeld(held, { events, quarantine, appId, account })
      : this.#fatesOfRows({ events, quarantine, account });
    return {
      receiptId: this.#id,
      tenantId,
      segmentId: held?.segmentId ?? first!.segmentId,
      receivedAt: held?.header.receivedAt ?? new Date(first!.receivedMs).toISOString(),
      stream: held ? 'held' : 'expired',
      ...(held ? { accepted: held.events.length, refused: held.header.rejected?.length ?? 0 } : {}),
      states: countStates(fates),
      versions: { events: events.snapshot.version, quarantine: quarantine.snapshot.version },
      ...(account && !account.folded && events.rows.length > 0 ? { committedIn: account.version } : {}),
      events: fates,
    };

    function countStates(all: readonly EventOutcome[]): ReceiptAnswer['states'] {
      const states: ReceiptAnswer['states'] = {};
      for (const { state } of all) states[state] = (states[state] ?? 0) + 1;
      return states;
    }
  }

  async #read(name: TableName): Promise<TableToRead & { rows: RowPlace[] }> {
    const { tenantId, receipt } = this.#subject;
    const snapshot = await this.#sources.tables(name, tenantId).snapshot();
    const table = { name, tenantId, snapshot };
    const wanted = { id: this.#id, stream: streamName(receipt.shard), sequence: receipt.sequence };
    return { ...table, rows: await rowsOfReceipt(this.#sources, table, wanted) };
  }

  /** Application id of the receipt's stream in the table's `txn` map. */
  #appId({ txns }: Snapshot): string | undefined {
    const { receipt } = this.#subject;
    const name = `${streamName(receipt.shard)}@`;
    return [...txns.keys()].find((id) => id.startsWith(name) && streamEpoch(id.slice(name.length)) === receipt.epoch);
  }

  #flush(appId: string, newest: number): Promise<CommitCounts | undefined> {
    const { tenantId, receipt } = this.#subject;
    const root = tableRoot('events', tenantId);
    return findFlush(this.#sources.storage, root, { appId, newest, sequence: receipt.sequence });
  }

  async #fatesOfHeld(held: HeldBatch, read: Read): Promise<EventOutcome[]> {
    const { events, quarantine, account } = read;
    const rows = new Map(events.rows.map((row) => [row.index, row]));
    const refused = new Map(quarantine.rows.map((row) => [row.index, row]));
    const committed = this.#isCommitted(events, read.appId);
    const absent = held.events.filter(
      (event) => !isOf(rows.get(event.index), event) && !isOf(refused.get(event.index), event),
    );
    const others = committed && absent.length > 0 ? await this.#elsewhere(absent, events) : new Map<string, RowPlace>();
    const duplicates = new Set(account ? positionsOf(account.duplicates, this.#id) : []);
    const differing = new Set(account ? positionsOf(account.differing, this.#id) : []);
    const unexplained = committed && absent.some(({ index }) => !duplicates.has(index));
    const unkept =
      this.#isCommitted(quarantine, read.appId) &&
      (held.header.rejected ?? []).some(({ index }) => !refused.has(index));
    const erased = unexplained || unkept ? await this.#erased(read) : new Set<number | null>();
    const fateOf = (event: HeldBatch['events'][number]): EventOutcome => {
      const row = rows.get(event.index);
      if (row && isOf(row, event)) return { ...event, state: 'committed', file: row.file };
      const kept = refused.get(event.index);
      if (kept && isOf(kept, event)) return { ...event, state: 'quarantined', file: kept.file, ...kept.refused };
      if (!committed) return { ...event, state: 'accepted' };
      const other = others.get(event.eventId.toLowerCase());
      const of =
        other && this.#maySee(other)
          ? { of: { receiptId: other.receiptId, index: other.index, file: other.file } }
          : {};
      if (duplicates.has(event.index))
        return { ...event, state: 'duplicate', ...of, ...(differing.has(event.index) ? DIFFERS : {}) };
      return { ...event, state: erased.has(event.index) ? 'erased' : 'missing' };
    };
    const all = [
      ...held.events.map(fateOf),
      ...(held.header.rejected ?? []).map((event) => refusal(event, refused, erased)),
    ];
    return all.sort((a, b) => (a.index ?? -1) - (b.index ?? -1));
  }

  /** Outcomes without the message, from the tables and the recorded duplicates. */
  #fatesOfRows({ events, quarantine, account }: Read): EventOutcome[] {
    const fates: EventOutcome[] = [...events.rows, ...quarantine.rows].map(({ index, eventId, type, file, refused }) =>
      refused
        ? { index, eventId, type, state: 'quarantined', file, ...refused }
        : { index, eventId, type, state: 'committed', file },
    );
    const differing = new Set(account ? positionsOf(account.differing, this.#id) : []);
    for (const index of account ? positionsOf(account.duplicates, this.#id) : []) {
      const differs = differing.has(index) ? DIFFERS : {};
      fates.push({ index, eventId: null, type: null, state: 'duplicate', ...differs });
    }
    return fates.sort((a, b) => (a.index ?? -1) - (b.index ?? -1));
  }

  /** First row of another batch for each event id. */
  async #elsewhere(absent: HeldBatch['events'], events: TableToRead): Promise<Map<string, RowPlace>> {
    const rows = await rowsOfEvents(
      this.#sources,
      events,
      absent.map(({ eventId }) => eventId),
    );
    const first = new Map<string, RowPlace>();
    for (const row of rows.sort((a, b) => a.receivedMs - b.receivedMs)) {
      const id = row.eventId?.toLowerCase() ?? '';
      if (!first.has(id)) first.set(id, row);
    }
    return first;
  }

  /**
   * Positions of the batch whose events an erasure removed, from either table.
   *
   * A table without a mark of erasures has lost none, so its log is not read.
   */
  async #erased({ events, quarantine }: Read): Promise<Set<number | null>> {
    const { erasures } = this.#sources;
    const marked = [events, quarantine].filter(({ snapshot }) => (snapshot.txns.get(ERASURES_ID) ?? 0) > 0);
    const positions = await Promise.all(
      marked.map(({ name, tenantId, snapshot }) => erasures.of(tableRoot(name, tenantId), this.#id, snapshot.version)),
    );
    return new Set(positions.flat());
  }

  #isCommitted({ snapshot }: TableToRead, appId: string | undefined): boolean {
    const { receipt, floor, setBack } = this.#subject;
    return !setBack && receipt.sequence <= committedSequence(snapshot, appId ?? '', floor);
  }

  #maySee({ segmentId }: RowPlace): boolean {
    const { segmentIds } = this.#subject;
    return segmentIds.length === 0 || segmentIds.includes(segmentId);
  }
}

interface Read {
  events: TableToRead & { rows: RowPlace[] };
  quarantine: TableToRead & { rows: RowPlace[] };
  /** Undefined if the tables have no event of the stream yet. */
  appId?: string | undefined;
  /** Counts of the flush that brought the batch. */
  account: CommitCounts | undefined;
}

/** Whether a row is of the event, and not of another one at the same place. A rejected row may have no id. */
function isOf(row: RowPlace | undefined, { eventId }: HeldBatch['events'][number]): boolean {
  return row !== undefined && (row.eventId === null || row.eventId.toLowerCase() === eventId.toLowerCase());
}

function refusal(
  event: RejectedEvent,
  rows: ReadonlyMap<number | null, RowPlace>,
  erased: ReadonlySet<number | null>,
): EventOutcome {
  const { index, code, path, message } = event;
  const [eventId, type] = [event.eventId ?? null, event.type ?? null];
  const row = rows.get(index);
  // A body or message rejected whole has no position; erasures record it as position 0.
  if (!row && erased.has(index ?? 0)) return { index, eventId, type, state: 'erased' };
  return { index, eventId, type, state: 'quarantined', ...(row ? { file: row.file } : {}), code, path, message };
}
