/** Series of an installation, each with its values in the notation of promtool; undefined: the series is absent. */
export type Series = Record<string, string | undefined>;

/** A fault as its metrics show it. */
export interface Fault {
  what: string;
  /** Series that differ from those of a healthy installation. */
  series: Series;
  /** All alerts that fire. */
  firing: string[];
  /** Those that somebody hears of. */
  heard: string[];
  /** Length of the run in minutes; absent: 40. */
  minutes?: number;
}

const RECEIVERS = ['a:4001', 'b:4001'];
const PROCESSORS = ['a:4003', 'b:4003'];
const LAKE = 'a:4002';
const SHARDS = [0, 1, 2, 3];

const ingest = (name: string, instance = RECEIVERS[0], more = ''): string =>
  `${name}{job="spor",component="ingest",instance="${instance}"${more}}`;
const processor = (name: string, shard?: number, more = ''): string =>
  `${name}{job="spor",component="processor",instance="${PROCESSORS[(shard ?? 0) % 2]}"${shard === undefined ? '' : `,shard="${shard}"`}${more}}`;
const lake = (name: string, more = ''): string => `${name}{job="spor",component="lake",instance="${LAKE}"${more}}`;
const requests = (code: string): string => ingest('spor_ingest_requests_total', RECEIVERS[0], `,code="${code}"`);
const answers = (code: string): string => lake('spor_lake_requests_total', `,route="/api/query",code="${code}"`);
const up = (component: string, instance: string): string =>
  `up{job="spor",component="${component}",instance="${instance}"}`;

/** Constant, or counting by an amount each minute. */
const is = (value: number): string => `${value}x10000`;
const by = (amount: number): string => `0+${amount}x10000`;

/** @returns the series of a healthy installation: two receivers, two processors with four shards, a query server */
export function healthy(): Series {
  const series: Series = {};
  for (const one of RECEIVERS) {
    series[up('ingest', one)] = is(1);
    series[ingest('spor_ready', one)] = is(1);
    series[ingest('spor_ingest_shards_unavailable', one)] = is(0);
    series[ingest('spor_ingest_keys_stale_seconds', one)] = is(0);
    series[ingest('spor_ingest_streams_set_back', one)] = is(0);
    series[ingest('spor_ingest_clock_ahead_seconds', one)] = is(0.2);
    series[ingest('process_start_time_seconds', one)] = is(1_000);
  }
  for (const code of ['stream_unavailable', 'stream_set_back', 'keys_unavailable', 'overloaded', 'internal'])
    series[requests(code)] = is(0);
  series[requests('accepted')] = by(1_000);
  series[ingest('spor_ingest_events_accepted_total')] = by(5_000);
  series[ingest('spor_ingest_events_rejected_total', RECEIVERS[0], ',code="field_missing"')] = by(20);
  for (const shard of [0, 1]) {
    series[up('processor', PROCESSORS[shard]!)] = is(1);
    series[processor('spor_ready').replace(PROCESSORS[0]!, PROCESSORS[shard]!)] = is(1);
    series[processor('spor_processor_shards').replace(PROCESSORS[0]!, PROCESSORS[shard]!)] = is(4);
  }
  for (const shard of SHARDS) {
    series[processor('spor_processor_shard_owned', shard)] = is(1);
    series[processor('spor_processor_pending_seconds', shard)] = is(3);
    series[processor('spor_processor_stream_bytes', shard)] = is(800);
    series[processor('spor_processor_stream_max_bytes', shard)] = is(1_000);
    series[processor('spor_processor_stream_replicas_behind', shard)] = is(0);
    series[processor('spor_processor_stream_set_back', shard)] = is(0);
    series[processor('spor_processor_clock_ahead_seconds', shard)] = is(-0.2);
    series[processor('spor_processor_messages_gone_total', shard)] = is(0);
  }
  for (const step of ['retention', 'vacuum'])
    series[processor('spor_maintenance_refused_total', undefined, `,step="${step}"`)] = is(0);
  series[processor('spor_maintenance_failures_total', undefined, ',table="events"')] = is(0);
  series[processor('spor_maintenance_compactions_total', undefined, ',table="events",outcome="failed"')] = is(0);
  series[processor('spor_maintenance_compactions_due')] = is(12);
  series[processor('spor_disk_free_bytes', undefined, ',use="work"')] = is(500);
  series[processor('spor_disk_size_bytes', undefined, ',use="work"')] = is(1_000);
  series[processor('spor_stream_denials_total', undefined, ',operation="publish"')] = is(0);
  series[up('lake', LAKE)] = is(1);
  series[lake('spor_ready')] = is(1);
  series[lake('spor_lake_marks_refused_total')] = is(0);
  series[lake('spor_lake_marts_failing_seconds')] = is(0);
  series[answers('ok')] = by(100);
  for (const code of ['internal', 'tail_unavailable', 'storage_unavailable']) series[answers(code)] = is(0);
  return series;
}

const each = (make: (shard: number) => string, values: string | undefined): Series =>
  Object.fromEntries(SHARDS.map((shard) => [make(shard), values]));
const receiversNotReady: Series = Object.fromEntries(RECEIVERS.map((one) => [ingest('spor_ready', one), is(0)]));
const processorsNotReady: Series = Object.fromEntries(
  PROCESSORS.map((one) => [processor('spor_ready').replace(PROCESSORS[0]!, one), is(0)]),
);
const lakeNotReady: Series = { [lake('spor_ready')]: is(0) };
const stalled = each((shard) => processor('spor_processor_stalled', shard), is(1));
const late = each((shard) => processor('spor_processor_pending_seconds', shard), '0+60x10000');

export const FAULTS: readonly Fault[] = [
  { what: 'nothing is wrong', series: {}, firing: [], heard: [] },
  {
    what: 'an election is caught by one scrape',
    series: Object.fromEntries(RECEIVERS.map((one) => [ingest('spor_ingest_shards_unavailable', one), '0x38 4 0'])),
    firing: [],
    heard: [],
  },
  {
    what: 'a receiver is gone',
    series: { [up('ingest', 'b:4001')]: is(0), [ingest('spor_ready', 'b:4001')]: undefined },
    firing: ['SporMetricsDown'],
    heard: ['SporMetricsDown'],
  },
  {
    what: 'no processor runs, and nothing scrapes one',
    series: Object.fromEntries(
      Object.keys(healthy())
        .filter((name) => name.includes('component="processor"'))
        .map((name) => [name, undefined]),
    ),
    firing: ['SporMetricsDown'],
    heard: ['SporMetricsDown'],
  },
  {
    what: 'a receiver waits at its start',
    series: { [ingest('spor_ready', 'b:4001')]: is(0) },
    firing: ['SporReceiverNotReady'],
    heard: ['SporReceiverNotReady'],
  },
  {
    what: 'a query server cannot read its store',
    series: { ...lakeNotReady, [answers('storage_unavailable')]: by(50) },
    firing: ['SporServiceNotReady', 'SporQueriesFail'],
    heard: ['SporServiceNotReady'],
  },
  {
    what: 'two of three stream servers are gone',
    series: {
      ...receiversNotReady,
      ...processorsNotReady,
      ...stalled,
      [ingest('spor_ingest_shards_unavailable')]: is(4),
      [requests('stream_unavailable')]: by(1_000),
      [answers('tail_unavailable')]: by(50),
    },
    firing: [
      'SporReceiverNotReady',
      'SporServiceNotReady',
      'SporShardsUnavailable',
      'SporEventsRefused',
      'SporShardStalled',
      'SporQueriesFail',
    ],
    heard: ['SporShardsUnavailable'],
  },
  {
    what: 'receivers are overloaded',
    series: { [requests('overloaded')]: by(50) },
    firing: ['SporEventsRefused'],
    heard: ['SporEventsRefused'],
  },
  {
    what: 'a receiver cannot follow its keys',
    series: {
      [ingest('spor_ready')]: is(0),
      [ingest('spor_ingest_keys_stale_seconds')]: '0+60x10000',
      [requests('keys_unavailable')]: by(500),
    },
    firing: ['SporReceiverNotReady', 'SporEventsRefused', 'SporKeysStale'],
    heard: ['SporKeysStale'],
  },
  {
    what: "a shop's integration is broken",
    series: { [ingest('spor_ingest_events_rejected_total', RECEIVERS[0], ',code="field_missing"')]: by(600) },
    firing: ['SporEventsRejected'],
    heard: ['SporEventsRejected'],
  },
  {
    what: 'a shard finds no processor',
    series: { [processor('spor_processor_shard_owned', 2)]: is(0) },
    firing: ['SporShardWithoutOwner'],
    heard: ['SporShardWithoutOwner'],
  },
  {
    what: "the lake's store is away",
    series: {
      ...processorsNotReady,
      ...lakeNotReady,
      ...stalled,
      ...late,
      [answers('storage_unavailable')]: by(500),
      [lake('spor_lake_marts_failing_seconds')]: '2000+60x10000',
    },
    firing: ['SporServiceNotReady', 'SporShardStalled', 'SporEventsLate', 'SporQueriesFail', 'SporMartsFail'],
    heard: ['SporShardStalled'],
  },
  {
    what: 'another tool upgraded a table',
    series: {
      'spor_processor_tenant_parked{component="processor",shard="1",tenant="demo-shop",code="table_unsupported"}':
        is(1),
    },
    firing: ['SporTenantParked'],
    heard: ['SporTenantParked'],
  },
  {
    what: 'processors do not keep up',
    series: late,
    firing: ['SporEventsLate'],
    heard: ['SporEventsLate'],
  },
  {
    what: 'a stream is nearly full',
    series: { [processor('spor_processor_stream_bytes', 1)]: is(950) },
    firing: ['SporStreamFillsUp'],
    heard: ['SporStreamFillsUp'],
  },
  {
    what: 'one of three stream servers is gone',
    series: each((shard) => processor('spor_processor_stream_replicas_behind', shard), is(1)),
    firing: ['SporReplicaBehind'],
    heard: ['SporReplicaBehind'],
  },
  {
    what: 'the store of a stream was set back',
    series: {
      ...receiversNotReady,
      [ingest('spor_ready', 'b:4001')]: is(0),
      [ingest('spor_ingest_streams_set_back')]: is(1),
      [ingest('spor_ingest_shards_unavailable')]: is(1),
      [requests('stream_set_back')]: by(300),
      [processor('spor_ready')]: is(0),
      [processor('spor_processor_shard_owned', 2)]: is(0),
      [processor('spor_processor_stream_set_back', 2)]: '_ 1 _ 1 _ 1x1000',
    },
    firing: [
      'SporReceiverNotReady',
      'SporServiceNotReady',
      'SporShardsUnavailable',
      'SporEventsRefused',
      'SporShardWithoutOwner',
      'SporStreamSetBack',
    ],
    heard: ['SporStreamSetBack'],
  },
  {
    what: 'a stream was deleted with uncommitted messages',
    series: { [processor('spor_processor_messages_gone_total', 3)]: '0x20 17x1000' },
    firing: ['SporMessagesGone'],
    heard: ['SporMessagesGone'],
  },
  {
    what: 'the clocks of store and stream differ',
    series: { [processor('spor_maintenance_refused_total', undefined, ',step="vacuum"')]: by(1) },
    firing: ['SporClocksDiffer'],
    heard: ['SporClocksDiffer'],
  },
  {
    what: "a receiver's clock is an hour behind",
    series: { [ingest('spor_ingest_clock_ahead_seconds', 'b:4001')]: is(-3_600) },
    firing: ['SporClocksDiffer'],
    heard: ['SporClocksDiffer'],
  },
  {
    what: 'a processor lost a right',
    series: {
      [processor('spor_stream_denials_total', undefined, ',operation="publish"')]: by(4),
      [processor('spor_ready')]: is(0),
    },
    firing: ['SporServiceNotReady', 'SporRightsDenied'],
    heard: ['SporRightsDenied'],
  },
  {
    what: 'queries fail by a fault of ours',
    series: { [answers('internal')]: by(10) },
    firing: ['SporQueriesFail'],
    heard: ['SporQueriesFail'],
  },
  {
    what: 'the marts of one tenant fail',
    series: { [lake('spor_lake_marts_failing_seconds')]: '2000+60x10000' },
    firing: ['SporMartsFail'],
    heard: ['SporMartsFail'],
  },
  {
    what: 'a table cannot be maintained',
    series: { [processor('spor_maintenance_failures_total', undefined, ',table="events"')]: by(1) },
    firing: ['SporMaintenanceFails'],
    heard: ['SporMaintenanceFails'],
  },
  {
    what: 'merges do not keep up',
    series: { [processor('spor_maintenance_compactions_due')]: is(400) },
    firing: ['SporMaintenanceBehind'],
    heard: ['SporMaintenanceBehind'],
    minutes: 240,
  },
  {
    what: 'the work disk of a processor is nearly full',
    series: { [processor('spor_disk_free_bytes', undefined, ',use="work"')]: is(20) },
    firing: ['SporDiskFillsUp'],
    heard: ['SporDiskFillsUp'],
  },
  {
    what: 'a receiver crashes again and again',
    series: { [ingest('process_start_time_seconds')]: '0+60x10000' },
    firing: ['SporRestarts'],
    heard: ['SporRestarts'],
  },
];
