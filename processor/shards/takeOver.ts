import type { Logger } from '../../runtime/log.ts';
import { floorOf } from '../../stream/progress.ts';
import { Intents } from '../commit/intents.ts';
import { ParkedTenants } from '../commit/parked.ts';
import { recover } from '../commit/recover.ts';
import { Tables } from '../commit/tables.ts';
import type { ShardContext } from './context.ts';
import type { ShardLease } from './leases.ts';
import { OwnedStream } from './ownedStream.ts';
import type { OwnerSteps } from './ownerSteps.ts';

/** A shard in the hands of its owner. */
export interface OwnedShard {
  lease: ShardLease;
  stream: OwnedStream;
  intents: Intents;
  tables: Tables;
  /** Committed position at the takeover. */
  floor: number;
  /** Store time of the message there, in milliseconds since 1970; undefined: unknown. */
  floorMs: number | undefined;
}

/**
 * Takes over a shard, safe from an earlier owner that still runs.
 *
 * The record of uploads comes first, because an earlier owner without it uploads nothing more. Then each table gets a
 * fence against pending commits, and their files are deleted.
 */
export async function takeOver(
  context: ShardContext,
  lease: ShardLease,
  steps: OwnerSteps,
  log: Logger,
): Promise<OwnedShard> {
  const { connection, progress, known, replicas } = context.stream;
  const { storage, tables } = context.lake;
  const { shard, epoch } = lease;
  const stream = await steps.retryWhileOwned('looking for the stream', () => OwnedStream.open(context.stream, shard));
  const owner = { shard, epoch, appId: stream.appId };
  const intents = await steps.retryWhileOwned('taking over', () => Intents.takeOver(connection, owner, replicas));
  if (intents.left.length > 0) {
    const left = await steps.retryWhileOwned('cleaning up after the owner before', () =>
      Promise.all(intents.left.map((intent) => recover(intent, { storage, tables, epoch }))),
    );
    await steps.retryWhileOwned('recording the clean-up', () =>
      intents.recovered(
        left.map(({ cleaned }) => cleaned),
        left.flatMap(({ kept }) => kept ?? []),
      ),
    );
    log.info({ owners: left.length }, 'cleaned up after the previous owner');
  }
  const noted = await steps.retryWhileOwned('reading the floor', () => progress.read(shard));
  const floor = floorOf(noted, stream.created);
  const floorMs = floor > 0 ? noted?.storedMs : undefined;
  await steps.retryWhileOwned('comparing the stream', () => stream.mustHold({ sequence: floor, timeMs: floorMs }));
  known.commit(stream.appId, floor);
  noticeGap(stream, floor, log);
  const parked = new ParkedTenants((tenant) => {
    log.error(tenant, 'a tenant is parked: its table cannot be written, and its messages wait in the stream');
    context.metrics.parked(shard, tenant);
  });
  return { lease, stream, intents, tables: new Tables(storage, tables, stream.appId, parked), floor, floorMs };
}

function noticeGap({ info: { state } }: OwnedStream, floor: number, log: Logger): void {
  if (state.first_seq > floor + 1 && floor > 0) {
    log.error({ from: floor + 1, to: state.first_seq - 1 }, 'messages left the stream before they were committed');
  }
}
