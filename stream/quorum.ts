import type { StreamInfo } from '@nats-io/jetstream';
import { StreamUnavailableError } from './errors.ts';

/**
 * Silence after which a replica counts as unreachable.
 *
 * Replicas answer their leader's heartbeat once a second (nats-server, server/raft.go: hbInterval).
 */
const SILENT_NANOS = 2e9;
/** Operations by which a replica may lag: seconds of a high load. */
const MOST_LAG = 1_000;

/**
 * Tests whether a stream's leader reaches most replicas, so that it can store messages.
 *
 * A leader that was cut off answers as before for up to 20 seconds. Only the silence of its replicas shows it.
 */
export function hasQuorum({ cluster, config }: Pick<StreamInfo, 'cluster' | 'config'>): boolean {
  if (!cluster || config.num_replicas <= 1) return true;
  if (!cluster.leader) return false;
  return 2 * (1 + reached(cluster).length) > config.num_replicas;
}

/**
 * The leader of a stream and the time of its election; undefined if the stream has no replicas.
 * @throws StreamUnavailableError if it does not reach most replicas, as one that was cut off and does not know it
 */
export function leaderTerm(info: Pick<StreamInfo, 'cluster' | 'config'>): string | undefined {
  const { cluster, config } = info;
  if (!cluster || config.num_replicas <= 1) return undefined;
  if (!hasQuorum(info)) throw new StreamUnavailableError('The stream has no quorum now.');
  return `${cluster.leader} since ${cluster.leader_since}`;
}

/** Number of a stream's replicas that are away from the leader, or far behind it. */
export function replicasBehind({ cluster, config }: Pick<StreamInfo, 'cluster' | 'config'>): number {
  if (!cluster || config.num_replicas <= 1) return 0;
  // The server leaves out a lag of 0.
  return config.num_replicas - 1 - reached(cluster).filter(({ lag }) => !(lag >= MOST_LAG)).length;
}

function reached({ replicas = [] }: NonNullable<StreamInfo['cluster']>): NonNullable<typeof replicas> {
  return replicas.filter(({ active, offline }) => !offline && active < SILENT_NANOS);
}
