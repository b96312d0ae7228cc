import { rm, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BatchHeader, RejectedEvent } from '../../schemas/envelope.ts';
import { formatReceipt } from '../../schemas/receipt.ts';
import { dayShare, type DayShare } from '../counts/dayCounts.ts';
import { copyLines, MalformedMessageError, parseMessage, renumberedBytes, sourceOf } from '../../stream/message.ts';
import type { Source, StreamMessage } from '../../stream/message.ts';
import { PROCESSOR_CODES, rejectedRow, storable, wholeText, type ProcessorCode } from './rejected.ts';
import { GroupedSpool } from './groupedSpool.ts';
import { Spool } from './spool.ts';
import { utcDay } from '../../runtime/units.ts';

export interface WindowOptions {
  /** Folder of this window's files; made when it is first written, removed by `discard`. */
  dir: string;
  shard: number;
  shards: number;
  /** Epoch of the stream, for receipts. */
  epoch: number;
  limits: WindowLimits;
}

export interface WindowLimits {
  /** Of messages; a window of many tenants and segments may grow to MOST_GROWTH times as many. */
  bytes: number;
  messages: number;
  /** From the first message's arrival on. */
  ageMs: number;
}

/** Last sequence whose events, and whose refused events, are in a tenant's tables already. */
export interface Stored {
  events: number;
  quarantine: number;
}

/** What a tenant has in a window. */
export interface TenantShare {
  /** Accepted events. */
  accepted: number;
  /** Of these, events that could not become rows and are in no line any more. */
  unstorable: number;
  /** Rows for the quarantine. */
  quarantined: number;
  /** The same by UTC date of receipt. */
  days: Map<string, DayShare>;
}

/** A range of lines of the events file that came in one message. */
export interface LineRun {
  firstLine: number;
  lines: number;
  /** Index into `sources`. */
  source: number;
  sequence: number;
  /** Number of the message's first batch. */
  firstBatch: number;
  /** Sum of its lines' batch numbers. */
  batchSum: number;
}

/**
 * A finished window: three files of newline-delimited JSON, and what is in them. Batches and refused events are in the order
 * of the stream. Of the accepted ones, those of a source lie together, in one place or, where the window is large, in few.
 */
export interface ClosedWindow {
  dir: string;
  eventsFile: string;
  batchesFile: string;
  rejectedFile: string;
  firstSequence: number;
  lastSequence: number;
  messages: number;
  bytes: number;
  batches: number;
  lines: number;
  rejected: number;
  /** Longest line of the rejected file, in bytes. */
  rejectedLineBytes: number;
  /** Tenant and segment by number; rows of the batches file carry the number as `s`. */
  sources: Source[];
  /** In the order of the file; by `sequence` they are in that of the stream. */
  runs: LineRun[];
  tenants: Map<string, TenantShare>;
  /** Sequence up to which each tenant's quarantine was stored when the window was made. */
  quarantineStored: Map<string, number>;
  /** When the first and last of its batches were received, in milliseconds since 1970; for redriven ones: were redriven. */
  receivedMs: { min: number; max: number };
  /** When the stream stored the last of its messages, in milliseconds since 1970: all from before are in it, or earlier. */
  lastStoredMs: number;
  /** When the first of each tenant's redriven batches was received, before it went to the quarantine. */
  redrivenMs: Map<string, number>;
}

/**
 * Each tenant and segment gets a file of its own, which costs some milliseconds however small it is, as much as writing a
 * thousand events, and readers have to open it: a window with more of them than this grows in proportion, so that a backlog
 * of many tenants is cut into fewer windows instead of smaller files.
 */
const SOURCES_A_WINDOW = 16;
const MOST_GROWTH = 4;

/**
 * The messages of one flush in the making. Of each message only the header and the beginnings of its lines are looked at;
 * the lines are copied as they are into one file, in which those of a source lie together.
 */
export class Window {
  readonly #options: WindowOptions;
  readonly #events: GroupedSpool<Omit<LineRun, 'firstLine'>>;
  readonly #batches: Spool;
  readonly #rejected: Spool;
  readonly #sourceNumbers = new Map<string, number>();
  readonly #contents: ClosedWindow;
  #openedAt = 0;
  #linesWritten = 0;
  #dirMade = false;

  constructor(options: WindowOptions) {
    this.#options = options;
    const { dir } = options;
    this.#events = new GroupedSpool(join(dir, 'events.ndjson'), (run) => this.#noteRun(run));
    this.#batches = new Spool(join(dir, 'batches.ndjson'));
    this.#rejected = new Spool(join(dir, 'rejected.ndjson'));
    this.#contents = {
      dir,
      eventsFile: this.#events.path,
      batchesFile: this.#batches.path,
      rejectedFile: this.#rejected.path,
      firstSequence: 0,
      lastSequence: 0,
      messages: 0,
      bytes: 0,
      batches: 0,
      lines: 0,
      rejected: 0,
      rejectedLineBytes: 0,
      sources: [],
      runs: [],
      tenants: new Map(),
      quarantineStored: new Map(),
      receivedMs: { min: Infinity, max: -Infinity },
      lastStoredMs: 0,
      redrivenMs: new Map(),
    };
  }

  get empty(): boolean {
    return this.#contents.messages === 0;
  }

  get messages(): number {
    return this.#contents.messages;
  }

  /** Tenants and segments it has something of. */
  get sources(): number {
    return this.#contents.sources.length;
  }

  /** Of its messages. */
  get bytes(): number {
    return this.#contents.bytes;
  }

  /** Over a limit: it must take no more. */
  get full(): boolean {
    const { bytes, messages } = this.#options.limits;
    const growth = Math.min(Math.max(1, this.#contents.sources.length / SOURCES_A_WINDOW), MOST_GROWTH);
    return this.#contents.bytes >= growth * bytes || this.#contents.messages >= messages;
  }

  /** Milliseconds until it is old enough to be flushed; undefined while it is empty. */
  leftMs(now: number = performance.now()): number | undefined {
    return this.empty ? undefined : Math.max(0, this.#openedAt + this.#options.limits.ageMs - now);
  }

  /** Whether `drain` should be called before more is added. */
  get spooled(): boolean {
    return this.#events.full || this.#batches.full || this.#rejected.full;
  }

  /** Takes in a message, leaving out what is in the tenant's tables already. A malformed one goes whole to the quarantine. */
  add(message: StreamMessage, stored: Stored): void {
    const contents = this.#contents;
    if (contents.messages++ === 0) {
      this.#openedAt = performance.now();
      contents.firstSequence = message.sequence;
    }
    contents.lastSequence = message.sequence;
    contents.lastStoredMs = message.timeMs;
    contents.bytes += message.data.length;
    const wanted = { events: message.sequence > stored.events, rejected: message.sequence > stored.quarantine };
    if (!wanted.events && !wanted.rejected) return;
    try {
      this.#addParsed(message, wanted);
    } catch (error) {
      if (!(error instanceof MalformedMessageError)) throw error;
      if (wanted.rejected) this.#addMalformed(message, error.message);
    }
    contents.quarantineStored.set(sourceOf(message).tenantId, stored.quarantine);
  }

  async drain(): Promise<void> {
    await this.#makeDir();
    for (const spool of [this.#events, this.#batches, this.#rejected]) if (spool.full) await spool.drain();
  }

  /** Finishes the files; the window must not be used afterwards. */
  async close(): Promise<ClosedWindow> {
    await this.#makeDir();
    for (const spool of [this.#events, this.#batches, this.#rejected]) await spool.close();
    return this.#contents;
  }

  /** Removes everything in the window's folder. */
  async discard(): Promise<void> {
    for (const spool of [this.#events, this.#batches, this.#rejected]) await spool.abandon();
    await rm(this.#options.dir, { recursive: true, force: true });
  }

  #addParsed(message: StreamMessage, wanted: { events: boolean; rejected: boolean }): void {
    const contents = this.#contents;
    const { shard, shards: count } = this.#options;
    const parsed = parseMessage(message, { shard, count });
    const firstBatch = contents.batches;
    const buffer = this.#events.reserve(renumberedBytes(message.data.length));
    const { end, lines, batchSum } = copyLines(message, parsed, firstBatch, buffer);
    const source = this.#sourceNumber(parsed.source);
    const share = this.#share(parsed.source.tenantId);
    if (wanted.events && lines > 0) {
      this.#events.append(source, end, { lines, source, sequence: message.sequence, firstBatch, batchSum });
      contents.lines += lines;
      share.accepted += lines;
    }
    for (const [index, batch] of parsed.batches.entries()) {
      this.#addBatch(message, { ...parsed.source, source, index }, batch);
      const day = dayShare(share.days, utcDay(Date.parse(batch.receivedAt)));
      if (wanted.events) day.accepted += batch.accepted;
      if (!wanted.rejected) continue;
      for (const event of batch.rejected ?? []) {
        this.#addRejected(firstBatch + index, event, share);
        day.quarantined++;
      }
    }
  }

  #noteRun(run: Omit<LineRun, 'firstLine'>): void {
    this.#contents.runs.push({ firstLine: this.#linesWritten, ...run });
    this.#linesWritten += run.lines;
  }

  #addMalformed(message: StreamMessage, reason: string): void {
    const of = sourceOf(message);
    const b = this.#contents.batches;
    const receivedAt = new Date(message.timeMs).toISOString();
    const source = this.#sourceNumber(of);
    this.#addBatch(message, { ...of, source, index: 0 }, { receivedAt, skewMs: 0, keyId: '', accepted: 0 });
    const code: ProcessorCode = 'message_malformed';
    const text = `${PROCESSOR_CODES[code]} Fault: ${reason}`;
    const event = { index: null, code, path: '', message: text, raw: wholeText(message.data) };
    const share = this.#share(of.tenantId);
    this.#addRejected(b, event, share);
    dayShare(share.days, utcDay(message.timeMs)).quarantined++;
  }

  #addBatch(message: StreamMessage, at: Source & { source: number; index: number }, batch: BatchHeader): void {
    const { shard, epoch } = this.#options;
    this.#noteTime(message, at.tenantId, batch);
    this.#batches.appendJson({
      b: this.#contents.batches++,
      s: at.source,
      sequence: message.sequence,
      tenant_id: at.tenantId,
      segment_id: at.segmentId,
      receipt_id: formatReceipt({ epoch, shard, sequence: message.sequence, batch: at.index }),
      received_at: batch.receivedAt,
      sent_at: storable(batch.sentAt),
      skew_ms: batch.skewMs,
      key_id: storable(batch.keyId),
      user_agent: storable(batch.userAgent),
      redriven_from: storable(batch.redrivenFrom),
    });
  }

  #noteTime({ timeMs }: StreamMessage, tenantId: string, { receivedAt, redrivenFrom }: BatchHeader): void {
    const { receivedMs: range, redrivenMs } = this.#contents;
    const receivedMs = Date.parse(receivedAt);
    // A redriven batch may have been received weeks ago: the window's range is of what came now.
    const cameMs = redrivenFrom === undefined ? receivedMs : timeMs;
    range.min = Math.min(range.min, cameMs);
    range.max = Math.max(range.max, cameMs);
    if (redrivenFrom !== undefined)
      redrivenMs.set(tenantId, Math.min(redrivenMs.get(tenantId) ?? Infinity, receivedMs));
  }

  #addRejected(b: number, event: RejectedEvent, share: TenantShare): void {
    const bytes = this.#rejected.appendJson(rejectedRow(b, event));
    this.#contents.rejectedLineBytes = Math.max(this.#contents.rejectedLineBytes, bytes);
    this.#contents.rejected++;
    share.quarantined++;
  }

  #sourceNumber(source: Source): number {
    const key = `${source.tenantId}/${source.segmentId}`;
    const known = this.#sourceNumbers.get(key);
    if (known !== undefined) return known;
    this.#sourceNumbers.set(key, this.#contents.sources.length);
    return this.#contents.sources.push(source) - 1;
  }

  #share(tenantId: string): TenantShare {
    const known = this.#contents.tenants.get(tenantId);
    if (known) return known;
    const share = { accepted: 0, unstorable: 0, quarantined: 0, days: new Map<string, DayShare>() };
    this.#contents.tenants.set(tenantId, share);
    return share;
  }

  async #makeDir(): Promise<void> {
    if (this.#dirMade) return;
    await mkdir(this.#options.dir, { recursive: true });
    this.#dirMade = true;
  }
}
