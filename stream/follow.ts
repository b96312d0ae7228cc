import { DeliverPolicy, jetstream, jetstreamManager, type ConsumerMessages } from '@nats-io/jetstream';
import type { NatsConnection } from './nats.ts';
import { StreamUnavailableError } from './errors.ts';
import { streamEpoch } from '../schemas/receipt.ts';
import { formatSubject, shardOf, streamName, type SubjectKind } from '../schemas/subjects.ts';
import { shardRange } from './shardCount.ts';
import { streamInfo } from './streamInfo.ts';

/** A message of a tenant, as the stream stored it. */
export interface FollowedMessage {
  subject: string;
  data: Uint8Array;
  sequence: number;
  epoch: number;
  /** Messages of the tenant that follow this one in the stream. */
  pending: number;
}

export interface Following {
  messages: AsyncIterable<FollowedMessage>;
  stop(): void;
}

/** Time after which the server removes the consumer of a dead process. */
const INACTIVE_MS = 30_000;
const MOST_WAITING = 64;
const PULL_MS = 5_000;
/** Time between two looks whether the stream is closed: its tenants have others then, and the viewer asks again. */
const LOOK_MS = 2_000;
/** Two missed heartbeats show that the consumer has died, such as with its server. */
const HEARTBEAT_MS = 1_000;
const KINDS: readonly SubjectKind[] = ['events', 'quarantine'];

/**
 * Follows a tenant's subjects from now on. The stream delivers only stored messages.
 * @throws StreamUnavailableError
 */
export async function followTenant(
  connection: NatsConnection,
  { tenantId, segmentIds }: { tenantId: string; segmentIds: readonly string[] },
): Promise<Following> {
  try {
    const manager = await jetstreamManager(connection);
    const { first, shards } = await shardRange(manager);
    const shard = shards === 0 ? 0 : shardOf(tenantId, shards, first);
    const info = await streamInfo(manager, streamName(shard));
    if (!info) throw new StreamUnavailableError('There is no event stream yet: start a receiver.');
    const segments = segmentIds.length === 0 ? ['*'] : segmentIds;
    const js = jetstream(connection);
    const consumer = await js.consumers.get(streamName(shard), {
      filter_subjects: KINDS.flatMap((kind) =>
        segments.map((segmentId) => formatSubject({ kind, shard, tenantId, segmentId })),
      ),
      // By sequence, so that a consumer made anew begins where this one did.
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: info.state.last_seq + 1,
      inactive_threshold: INACTIVE_MS,
    });
    const messages = await consumer.consume({
      max_messages: MOST_WAITING,
      expires: PULL_MS,
      idle_heartbeat: HEARTBEAT_MS,
    });
    const closed = setInterval(() => {
      const look = async (): Promise<void> => {
        if ((await streamInfo(manager, streamName(shard)))?.config.sealed) messages.stop();
      };
      void look().catch(() => undefined); // asked again
    }, LOOK_MS).unref();
    return {
      messages: read(messages, streamEpoch(info.created)),
      stop: () => {
        clearInterval(closed);
        messages.stop();
        consumer.delete().catch(() => undefined); // the server removes it by itself
      },
    };
  } catch (error) {
    if (error instanceof StreamUnavailableError) throw error;
    throw new StreamUnavailableError(undefined, { cause: error });
  }
}

async function* read(messages: ConsumerMessages, epoch: number): AsyncGenerator<FollowedMessage> {
  for await (const { subject, data, seq, info } of messages) {
    yield { subject, data, sequence: seq, epoch, pending: info.pending };
  }
}
