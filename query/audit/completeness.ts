import type { Table } from '../../lake/delta/table.ts';
import { committedSequence } from './committed.ts';
import type { ShardStreams } from '../../stream/shardStreams.ts';
import { DAY_MS, utcDay } from '../../runtime/units.ts';

/**
 * Times up to which a tenant's events are in the lake (ISO 8601).
 *
 * `acknowledgedBefore` depends on the stream server's clock alone and holds without conditions. An acknowledgement follows the
 * write to the stream, and the stream knows its uncommitted events.
 *
 * `receivedBefore` compares with `received_at`, the receiver's clock at the start of the request. MARGIN_MS covers clock
 * differences and the time until the acknowledgement.
 */
export interface Completeness {
  tenantId: string;
  /** Every event acknowledged before this time is in the lake; null if unknown. */
  acknowledgedBefore: string | null;
  /** Every event received before this time is in the lake. */
  receivedBefore: string | null;
  /** Last complete UTC date of receipt; null if acknowledgedBefore is. */
  completeThrough: string | null;
  /** First acknowledged event that is not in the lake. */
  waiting?: { sequence: number; acknowledgedAt: string };
}

/** Largest clock difference of receivers and stream servers, acknowledgement included. */
const MARGIN_MS = 300_000;

/**
 * Find the time up to which a tenant's events are in the lake.
 *
 * Read the table's position, then the server's time, then the tenant's first event after the position. No event stored before
 * that time can be missed. Events committed in between make the answer too early, never too late.
 */
export async function completenessOf(
  tenantId: string,
  { streams, table }: { streams: ShardStreams; table: Table },
): Promise<Completeness> {
  const stream = await streams.of(tenantId);
  const before = stream && (await streams.committed(stream));
  if (!before) return marks(tenantId, undefined);
  const committed = committedSequence(await table.snapshot(), before.appId, before.floor);
  const asked = await streams.state(stream);
  const next = await streams.nextAccepted(stream, tenantId, committed + 1);
  const after = await streams.state(stream);
  // A stream recreated in between does not have the old one's events.
  if (asked?.created !== before.created || after?.created !== before.created) return marks(tenantId, undefined);
  if (!next) return marks(tenantId, asked.atMs);
  const acknowledgedAt = new Date(next.timeMs).toISOString();
  return {
    ...marks(tenantId, Math.min(next.timeMs, asked.atMs)),
    waiting: { sequence: next.sequence, acknowledgedAt },
  };
}

function marks(tenantId: string, ms: number | undefined): Completeness {
  if (ms === undefined || Number.isNaN(ms)) {
    return { tenantId, acknowledgedBefore: null, receivedBefore: null, completeThrough: null };
  }
  const receivedMs = ms - MARGIN_MS;
  const day = Math.floor(receivedMs / DAY_MS) * DAY_MS - DAY_MS;
  return {
    tenantId,
    acknowledgedBefore: new Date(ms).toISOString(),
    receivedBefore: new Date(receivedMs).toISOString(),
    completeThrough: utcDay(day),
  };
}
