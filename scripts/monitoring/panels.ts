/** A graph: its queries, with a legend each. */
export interface Panel {
  title: string;
  /** A unit of Grafana, such as `s`, `bytes`, `reqps`, `percentunit`, `short`. */
  unit: string;
  queries: readonly (readonly [expr: string, legend: string])[];
  /** Absent: nothing to add to the title. */
  help?: string;
}

export interface DashboardPlan {
  /** Name of its file, and its identity in Grafana. */
  uid: string;
  title: string;
  panels: readonly Panel[];
}

const rate = (metric: string, by = ''): string => `sum${by && ` by (${by})`} (rate(${metric}[$__rate_interval]))`;
const quantile = (q: number, histogram: string, by = 'le'): string =>
  `histogram_quantile(${q}, sum by (${by}) (rate(${histogram}_bucket[$__rate_interval])))`;

/** All dashboards. */
export const DASHBOARDS: readonly DashboardPlan[] = [
  {
    uid: 'spor-overview',
    title: 'Spor: overview',
    panels: [
      {
        title: 'Events',
        unit: 'short',
        queries: [
          [rate('spor_ingest_events_accepted_total'), 'accepted per second'],
          [rate('spor_processor_events_stored_total'), 'stored per second'],
          [rate('spor_ingest_events_rejected_total'), 'rejected per second'],
        ],
      },
      {
        title: 'Longest wait of an event for its commit',
        unit: 's',
        help: 'So far are readers of Parquet files behind. Late: beyond the age at which tenants are committed.',
        queries: [
          ['max by (shard) (spor_processor_uncommitted_seconds)', 'shard {{shard}}'],
          ['max by (shard) (spor_processor_pending_seconds)', 'shard {{shard}}, late'],
        ],
      },
      {
        title: 'From receipt to commit',
        unit: 's',
        queries: [
          [quantile(0.5, 'spor_processor_freshness_seconds'), 'half of the windows'],
          [quantile(0.99, 'spor_processor_freshness_seconds'), '99 %'],
        ],
      },
      {
        title: 'Answers of the receivers',
        unit: 'reqps',
        queries: [[rate('spor_ingest_requests_total', 'code'), '{{code}}']],
      },
      {
        title: 'Answers of the query servers',
        unit: 'reqps',
        queries: [[rate('spor_lake_requests_total', 'code'), '{{code}}']],
      },
      {
        title: 'Ready',
        unit: 'short',
        queries: [['sum by (component) (spor_ready)', '{{component}}']],
      },
      {
        title: 'Shards with a processor',
        unit: 'short',
        queries: [
          ['sum(spor_processor_shard_owned)', 'owned'],
          ['max(spor_processor_shards)', 'of'],
        ],
      },
      {
        title: 'Memory',
        unit: 'bytes',
        queries: [['process_resident_memory_bytes{job="spor"}', '{{component}} {{instance}}']],
      },
      {
        title: 'Processor time',
        unit: 'percentunit',
        queries: [['rate(process_cpu_seconds_total{job="spor"}[$__rate_interval])', '{{component}} {{instance}}']],
      },
    ],
  },
  {
    uid: 'spor-receivers',
    title: 'Spor: receivers and stream',
    panels: [
      {
        title: 'Confirmation of a message',
        unit: 's',
        queries: [
          [quantile(0.5, 'spor_ingest_publish_seconds'), 'half'],
          [quantile(0.99, 'spor_ingest_publish_seconds'), '99 %'],
        ],
      },
      {
        title: 'Batches in a message',
        unit: 'short',
        queries: [
          [quantile(0.5, 'spor_ingest_message_batches'), 'half'],
          [quantile(0.99, 'spor_ingest_message_batches'), '99 %'],
        ],
      },
      {
        title: 'Size of a message',
        unit: 'bytes',
        queries: [[quantile(0.99, 'spor_ingest_message_bytes'), '99 %']],
      },
      {
        title: 'Held for requests',
        unit: 'bytes',
        queries: [['spor_ingest_in_flight_bytes', '{{instance}}']],
      },
      {
        title: 'Open requests',
        unit: 'short',
        queries: [['spor_ingest_in_flight_requests', '{{instance}}']],
      },
      {
        title: 'Rejected events by reason',
        unit: 'short',
        queries: [[rate('spor_ingest_events_rejected_total', 'code'), '{{code}}']],
      },
      {
        title: 'Shards that take no writes, unconfirmed messages',
        unit: 'short',
        queries: [
          ['max(spor_ingest_shards_unavailable)', 'shards'],
          [rate('spor_ingest_messages_unconfirmed_total'), 'messages per second'],
        ],
      },
      {
        title: 'Keys',
        unit: 'short',
        queries: [
          ['max(spor_ingest_keys)', 'known'],
          ['max(spor_ingest_keys_stale_seconds)', 'seconds stale'],
        ],
      },
      {
        title: 'Streams',
        unit: 'percentunit',
        queries: [
          ['max by (shard) (spor_processor_stream_bytes / spor_processor_stream_max_bytes)', 'shard {{shard}}'],
        ],
      },
      {
        title: 'Replicas behind, streams set back, denied requests',
        unit: 'short',
        queries: [
          ['sum(spor_processor_stream_replicas_behind)', 'replicas behind'],
          ['max(spor_ingest_streams_set_back)', 'streams set back'],
          ['sum(increase(spor_stream_denials_total[$__rate_interval]))', 'denied'],
        ],
      },
      {
        title: 'Clocks ahead of the stream',
        unit: 's',
        queries: [
          ['spor_ingest_clock_ahead_seconds', '{{instance}}'],
          ['max by (instance) (spor_processor_clock_ahead_seconds)', '{{instance}}'],
        ],
      },
    ],
  },
  {
    uid: 'spor-processors',
    title: 'Spor: processors and lake',
    panels: [
      {
        title: 'Uncommitted messages',
        unit: 'short',
        queries: [['max by (shard) (spor_processor_lag_messages)', 'shard {{shard}}']],
      },
      {
        title: 'Bytes from the stream',
        unit: 'Bps',
        queries: [[rate('spor_processor_bytes_total', 'instance'), '{{instance}}']],
      },
      {
        title: 'Duplicates, and rows of the quarantine',
        unit: 'short',
        queries: [
          [rate('spor_processor_events_duplicate_total'), 'duplicates per second'],
          [rate('spor_processor_events_duplicate_differs_total'), 'of these with other content'],
          [rate('spor_processor_events_quarantined_total'), 'quarantined per second'],
        ],
      },
      {
        title: 'A flush',
        unit: 's',
        queries: [
          [quantile(0.99, 'spor_processor_write_seconds'), 'Parquet, 99 %'],
          [quantile(0.99, 'spor_processor_flush_seconds'), 'whole, 99 %'],
        ],
      },
      {
        title: 'Failing steps, lost shards',
        unit: 'short',
        queries: [
          ['max by (shard) (spor_processor_stalled)', 'failing in shard {{shard}}'],
          ['sum(increase(spor_processor_shards_lost_total[$__rate_interval]))', 'lost'],
        ],
      },
      {
        title: 'Maintenance',
        unit: 'short',
        queries: [
          ['sum by (outcome) (increase(spor_maintenance_compactions_total[$__rate_interval]))', 'merges {{outcome}}'],
          ['sum(spor_maintenance_compactions_due)', 'merges due'],
          ['sum(increase(spor_maintenance_failures_total[$__rate_interval]))', 'failures'],
          ['sum(increase(spor_maintenance_refused_total[$__rate_interval]))', 'refused deletions'],
        ],
      },
      {
        title: 'Merged, vacuumed and expired files',
        unit: 'short',
        queries: [
          ['sum(increase(spor_maintenance_compacted_files_total[$__rate_interval]))', 'merged'],
          ['sum(increase(spor_maintenance_vacuumed_files_total[$__rate_interval]))', 'vacuumed'],
          ['sum(increase(spor_maintenance_expired_files_total[$__rate_interval]))', 'expired'],
        ],
      },
      {
        title: 'Free disk',
        unit: 'percentunit',
        queries: [['spor_disk_free_bytes / spor_disk_size_bytes', '{{component}} {{instance}} {{use}}']],
      },
      {
        title: 'Memory of event ids',
        unit: 'bytes',
        queries: [['sum by (instance) (spor_processor_dedupe_bytes)', '{{instance}}']],
      },
    ],
  },
  {
    uid: 'spor-queries',
    title: 'Spor: queries and marts',
    panels: [
      {
        title: 'Requests by route',
        unit: 'reqps',
        queries: [[rate('spor_lake_requests_total', 'route'), '{{route}}']],
      },
      {
        title: 'Time of an answer',
        unit: 's',
        queries: [[quantile(0.99, 'spor_lake_request_seconds', 'le, route'), '99 % of {{route}}']],
      },
      {
        title: 'Queries',
        unit: 'short',
        queries: [
          ['sum(spor_lake_queries_running)', 'running'],
          ['sum(spor_lake_queries_waiting)', 'waiting'],
        ],
      },
      {
        title: 'Refreshes of marts',
        unit: 'short',
        queries: [['sum by (outcome) (increase(spor_lake_mart_refreshes_total[$__rate_interval]))', '{{outcome}}']],
      },
      {
        title: 'Marts have failed for',
        unit: 's',
        queries: [['max(spor_lake_marts_failing_seconds)', 'the longest of a tenant']],
      },
      {
        title: 'Marks of completeness not given',
        unit: 'short',
        queries: [['sum(increase(spor_lake_marks_refused_total[$__rate_interval]))', 'refused']],
      },
    ],
  },
];
