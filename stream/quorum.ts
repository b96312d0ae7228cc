import type { StreamInfo } from '@nats-io/jetstream';

/**
 * Silence after which a replica counts as unreachable.
 *
 * Replicas answer their leader's heartbeat once a second (nats-server, server/raft.go: hbInterval).
 */
const SILENT_NANOS = 2e9;

/**
 * Tests whether a stream's leader reaches most replicas, so that it can store messages.
 *
 * A leader that was cut off answers as before for up to 20 seconds. Only the silence of its replicas shows it.
 */
export function hasQuorum({ cluster, config }: Pick<StreamInfo, 'cluster' | 'config'>): boolean {
  if (!cluster || config.num_replicas <= 1) return true;
  if (!cluster.leader) return false;
  const reached = (cluster.replicas ?? []).filter(({ active, offline }) => !offline && active < SILENT_NANOS);
  return 2 * (1 + reached.length) > config.num_replicas;
}
