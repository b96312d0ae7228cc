import { Counter, Gauge, Histogram } from 'prom-client';
import type { MetricsRegistry } from '../runtime/metrics.ts';

const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300];

/** Result of a flush, for metrics and log. */
export interface FlushReport {
  messages: number;
  bytes: number;
  stored: number;
  duplicate: number;
  differing: number;
  quarantined: number;
  files: number;
  commits: number;
  writeMs: number;
  totalMs: number;
  /** Time from the window's first receipt to the end of its commits. */
  oldestMs: number;
}

/** The processor's own metrics, by shard. */
export function createProcessorMetrics(registry: MetricsRegistry, shards: number) {
  const labelNames = ['shard'];
  const of = <T extends { name: string; help: string }>(
    options: T,
  ): T & { labelNames: string[]; registers: MetricsRegistry[] } => ({
    ...options,
    labelNames,
    registers: [registry],
  });
  const counter = (name: string, help: string): Counter => new Counter(of({ name: `spor_processor_${name}`, help }));
  const gauge = (name: string, help: string): Gauge => new Gauge(of({ name: `spor_processor_${name}`, help }));
  const seconds = (name: string, help: string): Histogram =>
    new Histogram(of({ name: `spor_processor_${name}`, help, buckets: SECONDS }));

  const all = new Gauge({ name: 'spor_processor_shards', help: 'Shards there are.', registers: [registry] });
  all.set(shards);
  const metrics = {
    owned: gauge('shard_owned', '1 where this processor owns the shard.'),
    lag: gauge('lag_messages', 'Messages in the stream that are not committed yet.'),
    pending: gauge(
      'pending_seconds',
      'For how long at most the oldest uncommitted message has waited beyond commit_age_seconds; 0: none is late.',
    ),
    uncommitted: gauge(
      'uncommitted_seconds',
      'For how long at most the oldest uncommitted message has waited: readers of Parquet files are so far behind.',
    ),
    commitAge: gauge(
      'commit_age_seconds',
      'Age of an uncommitted message at which its tenant is committed now, by the number of tenants that wait.',
    ),
    window: gauge('window_messages', 'Messages read that wait for their commit.'),
    streamBytes: gauge('stream_bytes', 'Bytes the stream holds.'),
    streamMaxBytes: gauge('stream_max_bytes', 'Bytes the stream may hold.'),
    replicasBehind: gauge(
      'stream_replicas_behind',
      'Replicas of the stream that are away from its leader, or far behind.',
    ),
    setBack: gauge(
      'stream_set_back',
      '1 where the stream lacks messages that it acknowledged: its store was set back.',
    ),
    gone: counter('messages_gone_total', 'Messages that left the stream before they were committed.'),
    lastCommit: gauge('last_commit_timestamp_seconds', 'When the shard was last committed, in seconds since 1970.'),
    stalled: gauge('stalled', '1 while a step of the flush fails and is tried again.'),
    flushes: counter('flushes_total', 'Windows committed.'),
    messages: counter('messages_total', 'Stream messages committed.'),
    bytes: counter('bytes_total', 'Bytes of stream messages committed.'),
    stored: counter('events_stored_total', 'Events written to the events table.'),
    duplicate: counter('events_duplicate_total', 'Events dropped as resends.'),
    differing: counter(
      'events_duplicate_differs_total',
      'Events dropped as resends whose content is not that of the first (duplicate_differs).',
    ),
    quarantined: counter('events_quarantined_total', 'Rows written to the quarantine table.'),
    files: counter('files_total', 'Data files committed.'),
    commits: counter('commits_total', 'Delta commits.'),
    lost: counter('shards_lost_total', 'Shards lost because a lease expired or another owner came first.'),
    firstSequence: gauge('stream_first_sequence', 'First message the stream still holds.'),
    clockAhead: gauge('clock_ahead_seconds', "By how much this host's clock is ahead of the stream server's."),
    idBytes: gauge('dedupe_bytes', 'Memory held by recent event ids.'),
    write: seconds('write_seconds', 'Time to turn a window into Parquet files.'),
    flush: seconds('flush_seconds', 'Time from closing a window to its acknowledgement.'),
    freshness: seconds('freshness_seconds', 'From the first receipt of a window to its commit.'),
  };
  const parkedTenants = new Gauge({
    name: 'spor_processor_tenant_parked',
    help: '1 while the tables of a tenant cannot be written, by the code of the reason. Its messages wait in the stream.',
    labelNames: ['shard', 'tenant', 'code'],
    registers: [registry],
  });
  const parkedByShard = new Map<number, { shard: string; tenant: string; code: string }[]>();
  const ofOwner = [
    metrics.lag,
    metrics.pending,
    metrics.setBack,
    metrics.uncommitted,
    metrics.commitAge,
    metrics.window,
    metrics.streamBytes,
    metrics.streamMaxBytes,
    metrics.replicasBehind,
    metrics.clockAhead,
    metrics.firstSequence,
    metrics.lastCommit,
    metrics.stalled,
    metrics.idBytes,
  ];
  return {
    ...metrics,
    shards: all,
    /** Removes what only the owner of a shard knows, so that no old value stays. */
    released(shard: number): void {
      const labels = { shard: String(shard) };
      metrics.owned.set(labels, 0);
      for (const gauge of ofOwner) gauge.remove(labels);
      for (const of of parkedByShard.get(shard) ?? []) parkedTenants.remove(of);
      parkedByShard.delete(shard);
    },
    parked(shard: number, { tenantId, code }: { tenantId: string; code: string }): void {
      const of = { shard: String(shard), tenant: tenantId, code };
      parkedByShard.set(shard, [...(parkedByShard.get(shard) ?? []), of]);
      parkedTenants.set(of, 1);
    },
    observe(shard: number, report: FlushReport): void {
      const labels = { shard: String(shard) };
      metrics.flushes.inc(labels);
      metrics.messages.inc(labels, report.messages);
      metrics.bytes.inc(labels, report.bytes);
      metrics.stored.inc(labels, report.stored);
      metrics.duplicate.inc(labels, report.duplicate);
      metrics.differing.inc(labels, report.differing);
      metrics.quarantined.inc(labels, report.quarantined);
      metrics.files.inc(labels, report.files);
      metrics.commits.inc(labels, report.commits);
      metrics.lastCommit.set(labels, Date.now() / 1_000);
      metrics.write.observe(labels, report.writeMs / 1_000);
      metrics.flush.observe(labels, report.totalMs / 1_000);
      metrics.freshness.observe(labels, report.oldestMs / 1_000);
    },
  };
}

export type ProcessorMetrics = ReturnType<typeof createProcessorMetrics>;
