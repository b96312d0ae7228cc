/**
 * What work costs, measured by the benches on a machine of two cores (docs/benchmarks.md).
 *
 * Each figure names the section and the parts that it is made of. Change it when the section changes.
 */
export const COSTS = {
  /** tenants: ingest 0.15 and nats-server 0.22 cores at 1,000 requests a second, one event each. */
  coresPerRequest: 0.000_37,
  /** pipeline: 1.47 cores of all processes at 90,671 events a second, 20 in a request. */
  coresPerEvent: 0.000_016,
  /** tenants: 0.16 cores of the processor and its DuckDB at 8.06 commits a second in a folder. */
  coresPerCommit: 0.02,
  /** tenants: query server and guards without a question. */
  coresIdle: 0.05,
  /** idle: all processes of a stack without work, in MiB. */
  idleMib: 300,
  /** soak: the processes of receivers, processor and stream server at 20,000 events a second, above the idle ones, in MiB. */
  fullLoadMib: 1_600,
  fullLoadEvents: 20_000,
  /** docs/operator.md, "Memory and its limits": a query, and DuckDB of maintenance or marts, in MiB. */
  queryMib: 1_024,
  maintenanceMib: 512,
  /** docs/operator.md, "Fairness": an open table of a tenant, in KiB. */
  tenantKib: 20,
  /** An event in a stream of messages with single events. */
  streamBytes: 438,
  /** query: 4,975 MiB of Parquet for 100,465,674 events, compacted. */
  lakeBytes: 52,
  /** Files that compaction and marts replaced, until vacuum deletes them. */
  lakeShare: 1.3,
  /** tenants, S3: requests for each commit, at 4.05 commits a second; questions of readers included. */
  s3PerCommit: { PUT: 2.08, LIST: 3.09, GET: 1.52, HEAD: 0.18 },
} as const;

/** Dollars: Amazon S3 Standard, us-east-1, 2026-11. */
export const S3_DOLLARS = {
  perMillion: { PUT: 5, LIST: 5, GET: 0.4, HEAD: 0.4 },
  perGibMonth: 0.023,
} as const;
