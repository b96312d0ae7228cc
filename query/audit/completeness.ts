import type { Table } from '../../lake/delta/table.ts';
import { positionOf } from '../../lake/delta/positions.ts';
import { clockDifference } from '../../lake/storage/agreedTime.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { committedSequence } from './committed.ts';
import { findStreamFault, restartFault, type StreamFault } from './streamFault.ts';
import type { ShardStreams } from '../../stream/shardStreams.ts';
import { DAY_MS, utcDay } from '../../runtime/units.ts';

/**
 * Times up to which a tenant's events are in the lake (ISO 8601).
 *
 * `acknowledgedBefore` depends on the stream server's clock alone. An acknowledgement follows the write to the stream, and the
 * stream knows its uncommitted events. Nothing is claimed where that clock differs from those of this host and the store.
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
  /** The time of each clock, if they differ too much for any claim. */
  clocksDiffer?: string;
  /** Acknowledged events are missing, so no time is known. */
  fault?: StreamFault;
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
  { streams, table, storage }: { streams: ShardStreams; table: Table; storage: Storage },
): Promise<Completeness> {
  const stream = await streams.of(tenantId);
  const before = stream && (await streams.committed(stream, tenantId));
  if (!before) return marks(tenantId, undefined);
  const snapshot = await table.snapshot();
  const committed = committedSequence(snapshot, before.appId, before.floor);
  const asked = await streams.state(stream);
  const next = await streams.nextAccepted(stream, tenantId, committed + 1);
  const after = await streams.state(stream);
  // A stream recreated in between does not have the old one's events.
  if (asked?.created !== before.created || after?.created !== before.created) return marks(tenantId, undefined);
  const fault =
    (await findStreamFault(streams, stream.shard, asked, positionOf(snapshot, before.appId))) ??
    restartFault(streams.server.untrustedForMs());
  if (fault) return { ...marks(tenantId, undefined), fault };
  const clocksDiffer = clockDifference({ host: Date.now(), ...(await storeTime(storage)), stream: asked.atMs });
  const waiting = next && {
    waiting: { sequence: next.sequence, acknowledgedAt: new Date(next.timeMs).toISOString() },
  };
  if (clocksDiffer !== undefined) return { ...marks(tenantId, undefined), ...waiting, clocksDiffer };
  if (!next) return marks(tenantId, asked.atMs);
  const { shard } = stream;
  const [previous, following] = await Promise.all(
    [next.sequence - 1, next.sequence + 1].map((sequence) =>
      sequence > 0 ? streams.message({ shard, sequence }) : Promise.resolve(undefined),
    ),
  );
  const stamps = {
    previousMs: previous?.timeMs,
    ownMs: next.timeMs,
    followingMs: following?.timeMs,
    nowMs: asked.atMs,
  };
  return { ...marks(tenantId, storedAfter(stamps)), ...waiting };
}

/** The store's time; nothing where this server may only read the store. */
async function storeTime(storage: Storage): Promise<{ store?: number }> {
  const ms = await storage.now().catch(() => undefined);
  return ms === undefined ? {} : { store: ms };
}

/**
 * A time after which a message was surely stored; undefined if unknown. Pure.
 *
 * The server may have stamped it while its clock was ahead. Then the stamp is later than the next one or the present, and
 * the message before counts.
 */
export function storedAfter(stamps: {
  previousMs: number | undefined;
  ownMs: number;
  followingMs: number | undefined;
  nowMs: number;
}): number | undefined {
  const { previousMs, ownMs, followingMs = Infinity, nowMs } = stamps;
  return [ownMs, previousMs].find((ms) => ms !== undefined && ms <= Math.min(followingMs, nowMs));
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
