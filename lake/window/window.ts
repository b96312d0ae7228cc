import { rm, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BatchHeader, RejectedEvent } from '../../schemas/envelope.ts';
import { formatReceipt } from '../../schemas/receipt.ts';
import { dayShare } from '../counts/dayCounts.ts';
import { copyLines, MalformedMessageError, parseMessage, renumberedBytes, sourceOf } from '../../stream/message.ts';
import type { Source, StreamMessage } from '../../stream/message.ts';
import { PROCESSOR_CODES, rejectedRow, storable, wholeText, type ProcessorCode } from './rejected.ts';
import type { ClosedWindow, LineRun, TenantShare } from './closedWindow.ts';
import { WindowContents } from './contents.ts';
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

  /** Tenants and segments it has something of. */
  get sources(): number {
    return this.#contents.sources;
  }

  /** Of its messages. */
  get bytes(): number {
    return this.#contents.span.bytes;
  }

  /** Over a limit: it must take no more. */
  get full(): boolean {
    const { bytes, messages } = this.#options.limits;
    const growth = Math.min(Math.max(1, this.sources / SOURCES_A_WINDOW), MOST_GROWTH);
    return this.bytes >= growth * bytes || this.messages >= messages;
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
    if (this.empty) this.#openedAt = performance.now();
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
    const { shard, shards: count } = this.#options;
    const parsed = parseMessage(message, { shard, count });
    const firstBatch = contents.lines.batches;
    const buffer = this.#events.reserve(renumberedBytes(message.data.length));
    const { end, lines, batchSum } = copyLines(message, parsed, firstBatch, buffer);
    const source = contents.sourceNumber(parsed.source);
    const share = contents.share(parsed.source.tenantId);
    if (wanted.events && lines > 0) {
      this.#events.append(source, end, { lines, source, sequence: message.sequence, firstBatch, batchSum });
      contents.lines.events += lines;
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

  #addMalformed(message: StreamMessage, reason: string): void {
    const of = sourceOf(message);
    const b = this.#contents.lines.batches;
    const receivedAt = new Date(message.timeMs).toISOString();
    const source = this.#contents.sourceNumber(of);
    this.#addBatch(message, { ...of, source, index: 0 }, { receivedAt, skewMs: 0, keyId: '', accepted: 0 });
    const code: ProcessorCode = 'message_malformed';
    const text = `${PROCESSOR_CODES[code]} Fault: ${reason}`;
    const event = { index: null, code, path: '', message: text, raw: wholeText(message.data) };
    const share = this.#contents.share(of.tenantId);
    this.#addRejected(b, event, share);
    dayShare(share.days, utcDay(message.timeMs)).quarantined++;
  }

  #addBatch(message: StreamMessage, at: Source & { source: number; index: number }, batch: BatchHeader): void {
    const { shard, epoch } = this.#options;
    this.#contents.addTimes(message, at.tenantId, batch);
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
