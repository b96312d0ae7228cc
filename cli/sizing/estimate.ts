import { COSTS, S3_DOLLARS } from './costs.ts';

/** What Spor shall do. */
export interface SizedLoad {
  /** Tenants that send. */
  tenants: number;
  /** Mean events a second of all tenants together. */
  eventsPerSecond: number;
  /** Busiest seconds, as a multiple of the mean. */
  peak: number;
  /** Events in a request; 1 for browsers without the SDK's batches. */
  eventsPerRequest: number;
  /** Days that events are kept. */
  retentionDays: number;
  /** STREAM_KEEP_HOURS. */
  keepHours: number;
  /** COMMITS_PER_SECOND. */
  commitsPerSecond: number;
  /** COMMIT_MAX_SECONDS. */
  commitMaxSeconds: number;
  /** Questions that run at once. */
  queries: number;
  s3: boolean;
}

/** What a load needs. */
export interface Need {
  /** Cores that are busy on average, and in the busiest seconds. */
  meanCores: number;
  peakCores: number;
  /** Cores to buy: two at least, and a third of them free at the peak. */
  cores: number;
  memoryGib: number;
  /** Disk of each stream server. */
  streamGib: number;
  /** The lake: a disk, or objects in S3. */
  lakeGib: number;
  commitsPerSecond: number;
  /** Millions of requests a month by kind, and dollars; without S3 none. */
  requests: Partial<Record<keyof typeof S3_DOLLARS.perMillion, number>>;
  requestDollars: number;
  storageDollars: number;
}

const GIB = 2 ** 30;
const DAY_SECONDS = 86_400;
const MONTH_SECONDS = 30 * DAY_SECONDS;
/** COMMIT_MAX_BYTES of the stored events, at their size in the stream. */
const COMMIT_BYTES = 1_048_576;
const MOST_BUSY = 2 / 3;

/** Estimates what a load needs, from the figures of the benches. Pure. */
export function estimateNeed(load: SizedLoad): Need {
  const { tenants, eventsPerSecond, peak, eventsPerRequest, s3 } = load;
  const commits = commitRate(load);
  const coresAt = (rate: number): number =>
    COSTS.coresIdle +
    (rate / eventsPerRequest) * COSTS.coresPerRequest +
    rate * COSTS.coresPerEvent +
    commits * COSTS.coresPerCommit;
  const peakCores = coresAt(eventsPerSecond * peak);
  const loadShare = Math.min(1, (eventsPerSecond * peak) / COSTS.fullLoadEvents);
  const memoryMib =
    COSTS.idleMib +
    loadShare * COSTS.fullLoadMib +
    load.queries * COSTS.queryMib +
    COSTS.maintenanceMib +
    (tenants * COSTS.tenantKib) / 1_024;
  const lakeGib = (eventsPerSecond * DAY_SECONDS * load.retentionDays * COSTS.lakeBytes * COSTS.lakeShare) / GIB;
  const kinds = Object.entries(s3 ? COSTS.s3PerCommit : {}) as [keyof typeof COSTS.s3PerCommit, number][];
  const requests = Object.fromEntries(
    kinds.map(([kind, perCommit]) => [kind, (commits * perCommit * MONTH_SECONDS) / 1e6]),
  );
  return {
    meanCores: coresAt(eventsPerSecond),
    peakCores,
    cores: Math.max(2, Math.ceil(peakCores / MOST_BUSY)),
    memoryGib: memoryMib / 1_024,
    streamGib: (eventsPerSecond * load.keepHours * 3_600 * COSTS.streamBytes) / GIB,
    lakeGib,
    commitsPerSecond: commits,
    requests,
    requestDollars: kinds.reduce((sum, [kind]) => sum + requests[kind]! * S3_DOLLARS.perMillion[kind], 0),
    storageDollars: s3 ? lakeGib * S3_DOLLARS.perGibMonth : 0,
  };
}

/** Commits a second: by age, within their limit, and by bytes. */
function commitRate({ tenants, eventsPerSecond, commitsPerSecond, commitMaxSeconds }: SizedLoad): number {
  const byAge = Math.max(Math.min(tenants, commitsPerSecond), tenants / commitMaxSeconds);
  const byBytes = (eventsPerSecond * COSTS.streamBytes) / COMMIT_BYTES;
  return Math.min(eventsPerSecond, Math.max(byAge, byBytes));
}
