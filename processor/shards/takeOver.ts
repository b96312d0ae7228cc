import type { Logger } from '../../runtime/log.ts';
import { streamName } from '../../schemas/subjects.ts';
import { Intents } from '../commit/intents.ts';
import { recover } from '../commit/recover.ts';
import { Tables } from '../commit/tables.ts';
import type { ShardContext } from './context.ts';
import type { ShardLease } from './leases.ts';
import { OwnedStream } from './ownedStream.ts';
import type { OwnerSteps } from './ownerSteps.ts';

/** A shard as its owner has it. */
export interface OwnedShard {
  lease: ShardLease;
  stream: OwnedStream;
  intents: Intents;
  tables: Tables;
  /** Last sequence acknowledged when it was taken over. */
  floor: number;
}

/**
 * Makes a shard one's own, in an order that an owner before, should it still run, cannot undo: first its record of uploads,
 * without which it uploads nothing more; then, table by table, a fence against its commits under way, and the deletion of
 * what they would have brought.
 */
export async function takeOver(
  context: ShardContext,
  lease: ShardLease,
  steps: OwnerSteps,
  log: Logger,
): Promise<OwnedShard> {
  const { connection, manager, progress } = context.stream;
  const { storage, tables } = context.lake;
  const { shard, epoch } = lease;
  const stream = await steps.retryWhileOwned('looking for the stream', () =>
    OwnedStream.open(manager, streamName(shard)),
  );
  const owner = { shard, epoch, appId: stream.appId };
  const intents = await steps.retryWhileOwned('taking over', () =>
    Intents.takeOver(connection, owner, context.settings.replicas),
  );
  if (intents.left.length > 0) {
    const left = await steps.retryWhileOwned('cleaning up after the owner before', () =>
      Promise.all(intents.left.map((intent) => recover(intent, { storage, tables, epoch }))),
    );
    await steps.retryWhileOwned('recording the clean-up', () => intents.recovered(left));
    log.info({ owners: left.length }, 'cleaned up after the previous owner');
  }
  const floor = await steps.retryWhileOwned('reading the floor', () => progress.floor(shard, stream.created));
  checkFloor(stream, floor, log);
  return { lease, stream, intents, tables: new Tables(storage, tables, stream.appId), floor };
}

/** @throws Error when the stream has gone back, so that new messages would carry sequences that are committed already. */
function checkFloor({ name, info: { state } }: OwnedStream, floor: number, log: Logger): void {
  if (state.last_seq < floor) {
    throw new Error(
      `${name} ends at ${state.last_seq} and was committed up to ${floor}: its store was set back. ` +
        'Delete the stream, so that it begins again with its own identity',
    );
  }
  if (state.first_seq > floor + 1 && floor > 0) {
    log.error({ from: floor + 1, to: state.first_seq - 1 }, 'messages left the stream before they were committed');
  }
}
