import { REQUEST_ERRORS } from '../../schemas/errors.ts';
import { LAKE_ERRORS } from '../../schemas/queryErrors.ts';
import type { ErrorKind } from '../../schemas/errorKind.ts';

/** A symptom that somebody must hear of. */
export interface Alert {
  /** `docs/alerts.md` has a section of this name. */
  name: string;
  /** Condition in PromQL. */
  expr: string;
  /** Time for which the condition must hold, in Prometheus' notation. */
  for: string;
  /** `page` wakes somebody; `ticket` waits for the morning. */
  severity: 'page' | 'ticket';
  /** Names the sufferer, with labels as `{{ $labels.shard }}`. */
  summary: string;
  /** Alerts that explain this one. While one of them fires, Alertmanager holds this one back. */
  follows?: readonly string[];
}

/** Job under which deploy/monitoring/prometheus.yml scrapes the services. */
export const JOB = 'spor';

const REFUSALS = codes(REQUEST_ERRORS);
const FAILURES = codes(LAKE_ERRORS);
/** Each of these makes a receiver refuse events. */
const RECEIVER_CAUSES = ['SporShardsUnavailable', 'SporStreamSetBack', 'SporKeysStale', 'SporRightsDenied'] as const;

/** All alerts, by symptom. */
export const ALERTS: readonly Alert[] = [
  {
    name: 'SporMetricsDown',
    expr: `up{job="${JOB}"} == 0${['ingest', 'processor', 'lake'].map((component) => ` or absent(spor_ready{component="${component}"})`).join('')}`,
    for: '2m',
    severity: 'page',
    summary: 'No metrics of {{ $labels.component }} {{ $labels.instance }}',
  },
  {
    name: 'SporReceiverNotReady',
    expr: 'spor_ready{component="ingest"} == 0',
    for: '1m',
    severity: 'page',
    summary: 'Receiver {{ $labels.instance }} is not ready',
    follows: RECEIVER_CAUSES,
  },
  {
    name: 'SporServiceNotReady',
    expr: 'spor_ready{component!="ingest"} == 0',
    for: '2m',
    severity: 'page',
    summary: '{{ $labels.component }} {{ $labels.instance }} is not ready',
    follows: ['SporShardsUnavailable', 'SporShardStalled', 'SporStreamSetBack', 'SporRightsDenied'],
  },
  {
    name: 'SporShardsUnavailable',
    expr: 'max(spor_ingest_shards_unavailable) > 0',
    for: '30s',
    severity: 'page',
    summary: '{{ $value }} shards take no writes, and their events get 503',
    follows: ['SporStreamSetBack', 'SporRightsDenied'],
  },
  {
    name: 'SporEventsRefused',
    expr: `sum(rate(spor_ingest_requests_total{code=~"${REFUSALS}"}[5m])) / sum(rate(spor_ingest_requests_total[5m])) > 0.01`,
    for: '5m',
    severity: 'page',
    summary: '{{ $value | humanizePercentage }} of the requests to the receivers get 5xx, and senders wait',
    follows: [...RECEIVER_CAUSES, 'SporClocksDiffer'],
  },
  {
    name: 'SporKeysStale',
    expr: 'max(spor_ingest_keys_stale_seconds) > 10',
    for: '30s',
    severity: 'page',
    summary: 'A receiver cannot follow changes of keys, and refuses events',
    follows: ['SporShardsUnavailable', 'SporRightsDenied'],
  },
  {
    name: 'SporEventsRejected',
    expr: 'sum(rate(spor_ingest_events_rejected_total[15m])) / (sum(rate(spor_ingest_events_rejected_total[15m])) + sum(rate(spor_ingest_events_accepted_total[15m]))) > 0.05',
    for: '15m',
    severity: 'ticket',
    summary: '{{ $value | humanizePercentage }} of the events are rejected, and go to the quarantine',
  },
  {
    name: 'SporShardWithoutOwner',
    expr: 'max(spor_processor_shards) - (sum(spor_processor_shard_owned) or vector(0)) > 0',
    for: '2m',
    severity: 'page',
    summary: '{{ $value }} shards have no processor',
    follows: ['SporStreamSetBack', 'SporServiceNotReady', 'SporShardsUnavailable', 'SporRightsDenied'],
  },
  {
    name: 'SporShardStalled',
    expr: 'max by (shard) (spor_processor_stalled) > 0',
    for: '1m',
    severity: 'page',
    summary: 'A step of shard {{ $labels.shard }} fails and is tried again',
    follows: ['SporShardsUnavailable', 'SporRightsDenied'],
  },
  {
    name: 'SporTenantParked',
    expr: 'max by (tenant, code) (spor_processor_tenant_parked) > 0',
    for: '1m',
    severity: 'page',
    summary: 'Events of {{ $labels.tenant }} wait in the stream: {{ $labels.code }}',
  },
  {
    name: 'SporEventsLate',
    expr: 'max by (shard) (spor_processor_pending_seconds) > 300',
    for: '2m',
    severity: 'page',
    summary: 'Events of shard {{ $labels.shard }} wait {{ $value | humanizeDuration }} for their commit',
    follows: ['SporShardStalled', 'SporStreamSetBack', 'SporShardWithoutOwner'],
  },
  {
    name: 'SporStreamFillsUp',
    expr: 'max by (shard) (spor_processor_stream_bytes / spor_processor_stream_max_bytes) > 0.9',
    for: '2m',
    severity: 'page',
    summary: 'The stream of shard {{ $labels.shard }} is {{ $value | humanizePercentage }} full',
    follows: ['SporShardStalled', 'SporEventsLate'],
  },
  {
    name: 'SporReplicaBehind',
    expr: 'max by (shard) (spor_processor_stream_replicas_behind) > 0',
    for: '5m',
    severity: 'ticket',
    summary: '{{ $value }} replicas of the stream of shard {{ $labels.shard }} are away or far behind',
  },
  {
    name: 'SporStreamSetBack',
    // A processor that tries the shard again removes its gauge for a moment.
    expr: 'max(max_over_time(spor_processor_stream_set_back[1m])) > 0 or max(spor_ingest_streams_set_back) > 0',
    for: '0s',
    severity: 'page',
    summary: 'A stream lacks messages that it acknowledged, and its shard stands still',
  },
  {
    name: 'SporMessagesGone',
    expr: 'sum(increase(spor_processor_messages_gone_total[1h])) > 0',
    for: '0s',
    severity: 'page',
    summary: '{{ $value | humanize }} messages left a stream before they were in the lake',
  },
  {
    name: 'SporClocksDiffer',
    expr: 'sum(increase(spor_maintenance_refused_total[15m])) > 0 or max(abs(spor_processor_clock_ahead_seconds)) > 900 or max(abs(spor_ingest_clock_ahead_seconds)) > 900 or sum(increase(spor_lake_marks_refused_total[15m])) > 0',
    for: '0s',
    severity: 'page',
    summary: 'Clocks differ by more than 15 minutes, and nothing is deleted or expired',
  },
  {
    name: 'SporRightsDenied',
    expr: 'sum by (component, operation) (increase(spor_stream_denials_total[5m])) > 0',
    for: '0s',
    severity: 'page',
    summary: 'The stream server denies {{ $labels.component }} a {{ $labels.operation }}',
  },
  {
    name: 'SporQueriesFail',
    expr: `sum(rate(spor_lake_requests_total{code=~"${FAILURES}"}[5m])) / sum(rate(spor_lake_requests_total[5m])) > 0.05`,
    for: '5m',
    severity: 'page',
    summary: '{{ $value | humanizePercentage }} of the requests to the query servers get 5xx',
    follows: ['SporServiceNotReady', 'SporClocksDiffer', 'SporShardsUnavailable'],
  },
  {
    name: 'SporMartsFail',
    expr: 'max(spor_lake_marts_failing_seconds) > 3600',
    for: '0s',
    severity: 'ticket',
    summary: 'The marts of a tenant have not been refreshed for {{ $value | humanizeDuration }}',
    follows: ['SporServiceNotReady'],
  },
  {
    name: 'SporMaintenanceFails',
    expr: 'sum by (table) (increase(spor_maintenance_failures_total[1h])) + sum by (table) (increase(spor_maintenance_compactions_total{outcome="failed"}[1h])) > 2',
    for: '0s',
    severity: 'ticket',
    summary: 'Maintenance of {{ $labels.table }} fails',
    follows: ['SporShardStalled'],
  },
  {
    name: 'SporMaintenanceBehind',
    expr: 'sum(spor_maintenance_compactions_due) > 100',
    for: '3h',
    severity: 'ticket',
    summary: '{{ $value }} merges of small files are due, and queries get slower',
    follows: ['SporMaintenanceFails'],
  },
  {
    name: 'SporDiskFillsUp',
    expr: 'min by (component, instance, use) (spor_disk_free_bytes / spor_disk_size_bytes) < 0.05',
    for: '2m',
    severity: 'page',
    summary: 'The disk of {{ $labels.component }} {{ $labels.instance }} ({{ $labels.use }}) is nearly full',
  },
  {
    name: 'SporRestarts',
    expr: `changes(process_start_time_seconds{job="${JOB}"}[30m]) > 3`,
    for: '0s',
    severity: 'page',
    summary: '{{ $labels.component }} {{ $labels.instance }} starts again and again',
  },
];

/** Codes that are our failure, as a regular expression. */
function codes(errors: Readonly<Record<string, ErrorKind>>): string {
  return Object.entries(errors)
    .filter(([, { status }]) => status >= 500)
    .map(([code]) => code)
    .join('|');
}
