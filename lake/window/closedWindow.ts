import type { DayShare } from '../counts/dayCounts.ts';
import type { Source } from '../../stream/message.ts';

/** Tenant's share of a window. */
export interface TenantShare {
  /** Sequence of its first message. */
  firstSequence: number;
  /** Accepted events. */
  accepted: number;
  /** Unstorable events among these, which are in no line any more. */
  unstorable: number;
  /** Rows for the quarantine. */
  quarantined: number;
  /** The same counts by UTC date of receipt. */
  days: Map<string, DayShare>;
}

/** Lines of the events file that came in one message. */
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
  /** Fingerprint of each line's content. */
  contents: Uint16Array;
}

/** Paths of a window's files of newline-delimited JSON. */
export interface WindowFiles {
  events: string;
  batches: string;
  rejected: string;
}

/** The messages of a window. */
export interface MessageSpan {
  firstSequence: number;
  lastSequence: number;
  messages: number;
  bytes: number;
  /**
   * Store time of the last message, in milliseconds since 1970.
   *
   * All earlier messages of the window's tenants are in this window or an earlier one.
   */
  lastStoredMs: number;
}

/** A batch that is traced. */
export interface BatchTrace {
  /** As the receiver wrote it: a W3C traceparent. */
  trace: string;
  tenantId: string;
  sequence: number;
  /** Store time of its message, in milliseconds since 1970. */
  storedMs: number;
}

/** Line counts of a window's files. */
export interface LineCounts {
  batches: number;
  events: number;
  /** Length of the longest event line, in bytes. */
  eventLineBytes: number;
  rejected: number;
  /** Length of the longest rejected line, in bytes. */
  rejectedLineBytes: number;
}

/** Times of a window's batches, in milliseconds since 1970. */
export interface ReceiptTimes {
  /** First storage by the stream. */
  storedMs: { min: number };
  /** First and last receipt, by the receivers' clocks. Redriven batches count from their redrive. */
  receivedMs: { min: number; max: number };
  /** First receipt of each tenant's redriven batches, before the quarantine. */
  redrivenMs: ReadonlyMap<string, number>;
}

/**
 * A finished window: three files and their contents.
 *
 * Batches and rejected events of a tenant are in stream order, by batch number. Accepted events of a source lie together,
 * or in few places if the window is large.
 */
export interface ClosedWindow {
  readonly dir: string;
  readonly files: Readonly<WindowFiles>;
  readonly span: Readonly<MessageSpan>;
  readonly lines: Readonly<LineCounts>;
  readonly times: Readonly<ReceiptTimes>;
  /** Tenants and segments, by the number in rows of the batches file. */
  readonly sources: readonly Source[];
  /** In file order. Sorted by `firstBatch`, those of a tenant are in stream order. */
  readonly runs: readonly LineRun[];
  readonly tenants: ReadonlyMap<string, Readonly<TenantShare>>;
  /** Sequence up to which each quarantine was stored at the window's creation. */
  readonly quarantineStored: ReadonlyMap<string, number>;
  readonly traces: readonly BatchTrace[];
}
