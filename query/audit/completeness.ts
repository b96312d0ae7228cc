import type { Table } from '../../lake/delta/table.ts';
import { committedSequence } from './committed.ts';
import type { ShardStreams } from '../../stream/shardStreams.ts';
import { DAY_MS, utcDay } from '../../runtime/units.ts';

/**
 * Up to when a tenant's events are in the lake. Times are ISO 8601 in UTC.
 *
 * `acknowledgedBefore` goes by the stream server's clock alone and holds without conditions: an acknowledgement is given after
 * the stream has stored the event, and the stream tells which of them are not in the lake. `received_at` of a row is the
 * receiver's clock at the beginning of the request: `receivedBefore` leaves for its difference, and for the time until the
 * acknowledgement, what MARGIN_MS says, and holds as long as receivers' clocks are right by that.
 */
export interface Completeness {
  tenantId: string;
  /** Every event acknowledged before is in the lake; null: there is no stream yet, or it cannot be told. */
  acknowledgedBefore: string | null;
  /** Every event that the receivers' clocks had before is in the lake. */
  receivedBefore: string | null;
  /** The last UTC date of receipt of which nothing is missing; null where acknowledgedBefore is. */
  completeThrough: string | null;
  /** The first acknowledged event that is not in the lake, where there is one. */
  waiting?: { sequence: number; acknowledgedAt: string };
}

/** What the clocks of receivers and stream servers may differ by, the seconds until an acknowledgement included. */
const MARGIN_MS = 300_000;

/**
 * Asks lake and stream how far a tenant's events are in.
 *
 * First how far the table is, then the server's time, then for the tenant's first event behind: none stored before that time
 * can be missed, whatever is stored or committed meanwhile. So it may say too little, never too much.
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
  // A stream made anew in between would have nothing to show of the old one's events.
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
