import type { BatchHeader } from '../../schemas/envelope.ts';
import type { DayShare } from '../counts/dayCounts.ts';
import type { Source, StreamMessage } from '../../stream/message.ts';
import type { BatchTrace, ClosedWindow, LineRun, TenantShare } from './closedWindow.ts';

/** Traced batches of a window that are told. */
const MOST_TRACES = 256;

/** The contents of a window's files, counted while they are written. */
export class WindowContents {
  readonly span = { firstSequence: 0, lastSequence: 0, messages: 0, bytes: 0, lastStoredMs: 0 };
  readonly lines = { batches: 0, events: 0, eventLineBytes: 0, rejected: 0, rejectedLineBytes: 0 };
  readonly quarantineStored = new Map<string, number>();
  readonly #storedMs = { min: Infinity };
  readonly #receivedMs = { min: Infinity, max: -Infinity };
  readonly #redrivenMs = new Map<string, number>();
  readonly #sources: Source[] = [];
  readonly #sourceNumbers = new Map<string, number>();
  readonly #runs: LineRun[] = [];
  readonly #tenants = new Map<string, TenantShare>();
  readonly #traces: BatchTrace[] = [];
  #linesWritten = 0;

  /** Number of tenants and segments in the window. */
  get sources(): number {
    return this.#sources.length;
  }

  /** Counts a message, with or without lines. */
  addMessage({ sequence, timeMs, data }: StreamMessage): void {
    const { span } = this;
    if (span.messages++ === 0 || sequence < span.firstSequence) span.firstSequence = sequence;
    if (sequence > span.lastSequence) {
      span.lastSequence = sequence;
      span.lastStoredMs = timeMs;
    }
    span.bytes += data.length;
  }

  /** Adds the next lines of the events file. */
  addRun(run: Omit<LineRun, 'firstLine'>): void {
    this.#runs.push({ firstLine: this.#linesWritten, ...run });
    this.#linesWritten += run.lines;
  }

  /** Remembers a batch that is traced. */
  addTrace({ timeMs, sequence }: StreamMessage, tenantId: string, { trace }: BatchHeader): void {
    if (trace !== undefined && this.#traces.length < MOST_TRACES)
      this.#traces.push({ trace, tenantId, sequence, storedMs: timeMs });
  }

  /** Adds the times of a batch. */
  addTimes({ timeMs }: StreamMessage, tenantId: string, { receivedAt, redrivenFrom }: BatchHeader): void {
    this.#storedMs.min = Math.min(this.#storedMs.min, timeMs);
    const range = this.#receivedMs;
    const receivedMs = Date.parse(receivedAt);
    // A redriven batch may be weeks old, so its redrive counts for the window's range.
    const cameMs = redrivenFrom === undefined ? receivedMs : timeMs;
    range.min = Math.min(range.min, cameMs);
    range.max = Math.max(range.max, cameMs);
    if (redrivenFrom === undefined) return;
    this.#redrivenMs.set(tenantId, Math.min(this.#redrivenMs.get(tenantId) ?? Infinity, receivedMs));
  }

  /** Lets the first storage be an earlier one, of messages that are not in this window. */
  countFrom(storedMs: number): void {
    this.#storedMs.min = Math.min(this.#storedMs.min, storedMs);
  }

  /** The number of a tenant and segment. */
  sourceNumber(source: Source): number {
    const key = `${source.tenantId}/${source.segmentId}`;
    const known = this.#sourceNumbers.get(key);
    if (known !== undefined) return known;
    this.#sourceNumbers.set(key, this.#sources.length);
    return this.#sources.push(source) - 1;
  }

  /** Share of a tenant, made with its first message of the window. */
  share(tenantId: string, firstSequence: number): TenantShare {
    const known = this.#tenants.get(tenantId);
    if (known) return known;
    const share = { firstSequence, accepted: 0, unstorable: 0, quarantined: 0, days: new Map<string, DayShare>() };
    this.#tenants.set(tenantId, share);
    return share;
  }

  /** Returns the contents; nothing may be added afterwards. */
  close({ dir, files }: Pick<ClosedWindow, 'dir' | 'files'>): ClosedWindow {
    return {
      dir,
      files,
      span: this.span,
      lines: this.lines,
      times: { storedMs: this.#storedMs, receivedMs: this.#receivedMs, redrivenMs: this.#redrivenMs },
      sources: this.#sources,
      runs: this.#runs,
      tenants: this.#tenants,
      quarantineStored: this.quarantineStored,
      traces: this.#traces,
    };
  }
}
