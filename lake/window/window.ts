import { rm, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BatchHeader, RejectedEvent } from '../../schemas/envelope.ts';
import { formatReceipt } from '../../schemas/receipt.ts';
import { dayShare, segmentShare } from '../counts/dayCounts.ts';
import { copyLines, MalformedMessageError, parseMessage, renumberedBytes, sourceOf } from '../../stream/message.ts';
import type { ShardPlace, Source, StreamMessage } from '../../stream/message.ts';
import { PROCESSOR_CODES, rejectedRow, storable, wholeText, type ProcessorCode } from './rejected.ts';
import type { ClosedWindow, LineRun, TenantShare } from './closedWindow.ts';
import { WindowContents } from './contents.ts';
import { GroupedSpool } from './groupedSpool.ts';
import { Spool } from './spool.ts';
import { utcDay } from '../../runtime/units.ts';

export interface WindowOptions {
  /** Folder of this window's files. The first write makes it, and `discard` removes it. */
  dir: string;
  place: ShardPlace;
  /** Epoch of the stream, for receipts. */
  epoch: number;
  limits: WindowLimits;
}

export interface WindowLimits {
  /** Bytes of messages. A window of many sources may grow to MOST_GROWTH times as many. */
  bytes: number;
  messages: number;
  /** Age since the first message's arrival. */
  ageMs: number;
}

/** Sequences up to which a tenant's tables hold accepted and rejected events. */
export interface Stored {
  events: number;
  quarantine: number;
}

/**
 * Number of sources above which a window's limits grow in proportion.
 *
 * Each source gets a file of its own, which costs time however small it is. With larger windows, a backlog of many
 * tenants gives fewer files instead of smaller ones. The figures are in docs/performance.md, "Processor, many tenants".
 */
const SOURCES_A_WINDOW = 16;
const MOST_GROWTH = 4;

/**
 * Messages of one flush, collected until the window is closed.
 *
 * Only the header and the start of each line are parsed. The lines are copied into one file, in which those of a source
 * lie together.
 */
export class Window {
  readonly #options: WindowOptions;
  readonly #events: GroupedSpool<Omit<LineRun, 'firstLine'>>;
  readonly #batches: Spool;
  readonly #rejected: Spool;
  readonly #contents = new WindowContents();
  #openedAt = 0;
  #dirMade = false;

  constructor(options: WindowOptions) {
    this.#options = options;
    const { dir } = options;
    this.#events = new GroupedSpool(join(dir, 'events.ndjson'), (run) => this.#contents.addRun(run));
    this.#batches = new Spool(join(dir, 'batches.ndjson'));
    this.#rejected = new Spool(join(dir, 'rejected.ndjson'));
  }

  get empty(): boolean {
    return this.messages === 0;
  }

  get messages(): number {
    return this.#contents.span.messages;
  }

  /** Number of tenants and segments in the window. */
  get sources(): number {
    return this.#contents.sources;
  }

  /** Bytes of its messages. */
  get bytes(): number {
    return this.#contents.span.bytes;
  }

  /** Whether a limit is exceeded, so that no message may be added. */
  get full(): boolean {
    const { bytes, messages } = this.#options.limits;
    const growth = Math.min(Math.max(1, this.sources / SOURCES_A_WINDOW), MOST_GROWTH);
    return this.bytes >= growth * bytes || this.messages >= messages;
  }

  /** Milliseconds until the window is due by age; undefined while empty. */
  leftMs(now: number = performance.now()): number | undefined {
    return this.empty ? undefined : Math.max(0, this.#openedAt + this.#options.limits.ageMs - now);
  }

  /** Whether `drain` should run before the next `add`. */
  get spooled(): boolean {
    return this.#events.full || this.#batches.full || this.#rejected.full;
  }

  /**
   * Adds a message, without events that the tenant's tables hold already.
   *
   * Those of a tenant must come in stream order. A malformed message goes whole to the quarantine.
   * @param arrivedMs of the monotonic clock; the window's age counts from the earliest
   */
  add(message: StreamMessage, stored: Stored, arrivedMs = performance.now()): void {
    const contents = this.#contents;
    this.#openedAt = this.empty ? arrivedMs : Math.min(this.#openedAt, arrivedMs);
    contents.addMessage(message);
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

  /** Lets resends count from an earlier message, which is in a later window. */
  countFrom(storedMs: number): void {
    this.#contents.countFrom(storedMs);
  }

  async drain(): Promise<void> {
    await this.#makeDir();
    for (const spool of [this.#events, this.#batches, this.#rejected]) if (spool.full) await spool.drain();
  }

  /** Finishes the files; the window must not be used afterwards. */
  async close(): Promise<ClosedWindow> {
    await this.#makeDir();
    for (const spool of [this.#events, this.#batches, this.#rejected]) await spool.close();
    const files = { events: this.#events.path, batches: this.#batches.path, rejected: this.#rejected.path };
    return this.#contents.close({ dir: this.#options.dir, files });
  }

  /** Removes everything in the window's folder. */
  async discard(): Promise<void> {
    for (const spool of [this.#events, this.#batches, this.#rejected]) await spool.abandon();
    await rm(this.#options.dir, { recursive: true, force: true });
  }

  #addParsed(message: StreamMessage, wanted: { events: boolean; rejected: boolean }): void {
    const contents = this.#contents;
    const parsed = parseMessage(message, this.#options.place);
    const firstBatch = contents.lines.batches;
    const buffer = this.#events.reserve(renumberedBytes(message.data.length));
    const { end, lines, batchSum, longest, contents: fingerprints } = copyLines(message, parsed, firstBatch, buffer);
    const source = contents.sourceNumber(parsed.source);
    const share = contents.share(parsed.source.tenantId, message.sequence);
    if (wanted.events && lines > 0) {
      const { sequence } = message;
      this.#events.append(source, end, { lines, source, sequence, firstBatch, batchSum, contents: fingerprints });
      contents.lines.events += lines;
      contents.lines.eventLineBytes = Math.max(contents.lines.eventLineBytes, longest);
      share.accepted += lines;
    }
    for (const [index, batch] of parsed.batches.entries()) {
      this.#addBatch(message, { ...parsed.source, source, index }, batch);
      const day = dayShare(share.days, utcDay(Date.parse(batch.receivedAt)));
      const part = segmentShare(day, parsed.source.segmentId);
      if (wanted.events && batch.accepted > 0) {
        day.accepted += batch.accepted;
        part.accepted += batch.accepted;
        part.acceptedBytes += bodyBytes(batch);
      }
      if (!wanted.rejected) continue;
      const { rejected = [] } = batch;
      for (const event of rejected) this.#addRejected(firstBatch + index, event, share);
      day.quarantined += rejected.length;
      part.rejected += rejected.length;
      if (batch.accepted === 0 && rejected.length > 0) part.rejectedBytes += bodyBytes(batch);
    }
  }

  #addMalformed(message: StreamMessage, reason: string): void {
    const of = sourceOf(message);
    const b = this.#contents.lines.batches;
    const receivedAt = new Date(message.timeMs).toISOString();
    const source = this.#contents.sourceNumber(of);
    this.#addBatch(message, { ...of, source, index: 0 }, { receivedAt, skewMs: 0, keyId: '', accepted: 0 });
    const code: ProcessorCode = 'message_malformed';
    const text = `${PROCESSOR_CODES[code]} Fault: ${reason}`;
    const event = { index: null, code, path: '', message: text, raw: wholeText(message.data) };
    const share = this.#contents.share(of.tenantId, message.sequence);
    this.#addRejected(b, event, share);
    const day = dayShare(share.days, utcDay(message.timeMs));
    day.quarantined++;
    segmentShare(day, of.segmentId).rejected++;
  }

  #addBatch(message: StreamMessage, at: Source & { source: number; index: number }, batch: BatchHeader): void {
    const {
      place: { shard },
      epoch,
    } = this.#options;
    this.#contents.addTimes(message, at.tenantId, batch);
    this.#contents.addTrace(message, at.tenantId, batch);
    this.#batches.appendJson({
      b: this.#contents.lines.batches++,
      source_number: at.source,
      sequence: message.sequence,
      tenant_id: at.tenantId,
      segment_id: at.segmentId,
      receipt_id: formatReceipt({ epoch, shard, sequence: message.sequence, batch: at.index }),
      received_at: batch.receivedAt,
      sent_at: storable(batch.sentAt),
      skew_ms: batch.skewMs,
      key_id: storable(batch.keyId),
      key_kind: storable(batch.keyKind),
      user_agent: storable(batch.userAgent),
      redriven_from: storable(batch.redrivenFrom),
    });
  }

  #addRejected(b: number, event: RejectedEvent, share: TenantShare): void {
    const bytes = this.#rejected.appendJson(rejectedRow(b, event));
    const { lines } = this.#contents;
    lines.rejectedLineBytes = Math.max(lines.rejectedLineBytes, bytes);
    lines.rejected++;
    share.quarantined++;
  }

  async #makeDir(): Promise<void> {
    if (this.#dirMade) return;
    await mkdir(this.#options.dir, { recursive: true });
    this.#dirMade = true;
  }
}

/** Length of a batch's request body; 0 if its message does not say. */
function bodyBytes({ bytes }: BatchHeader): number {
  return Number.isSafeInteger(bytes) && bytes! > 0 ? bytes! : 0;
}
