import type { DayShare } from '../counts/dayCounts.ts';
import type { Source } from '../../stream/message.ts';

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
  /** When the stream stored the last one, in milliseconds since 1970: all from before are in it, or earlier. */
  lastStoredMs: number;
}

/** Lines of a window's files. */
export interface LineCounts {
  batches: number;
  events: number;
  rejected: number;
  /** Longest line of the rejected file, in bytes. */
  rejectedLineBytes: number;
}

/** When a window's batches were received. */
export interface ReceiptTimes {
  /** The first and last, in milliseconds since 1970; for redriven ones: were redriven. */
  receivedMs: { min: number; max: number };
  /** When the first of each tenant's redriven batches was received, before it went to the quarantine. */
  redrivenMs: ReadonlyMap<string, number>;
}

/**
 * A finished window: three files, and what is in them. Batches and rejected events are in the order of the stream. Of the
 * accepted ones, those of a source lie together, in one place or, where the window is large, in few.
 */
export interface ClosedWindow {
  readonly dir: string;
  readonly files: Readonly<WindowFiles>;
  readonly span: Readonly<MessageSpan>;
  readonly lines: Readonly<LineCounts>;
  readonly times: Readonly<ReceiptTimes>;
  /** Tenant and segment by number, which rows of the batches file carry. */
  readonly sources: readonly Source[];
  /** In the order of the file; by `sequence` they are in that of the stream. */
  readonly runs: readonly LineRun[];
  readonly tenants: ReadonlyMap<string, Readonly<TenantShare>>;
  /** Sequence up to which each tenant's quarantine was stored when the window was made. */
  readonly quarantineStored: ReadonlyMap<string, number>;
}
