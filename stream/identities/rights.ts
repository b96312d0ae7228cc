import {
  CHANGES_BUCKET,
  LATER_BUCKETS,
  INTENTS_BUCKET,
  KEYS_BUCKET,
  LEASES_BUCKET,
  PROGRESS_BUCKET,
  QUOTAS_BUCKET,
  REPLAYS_BUCKET,
  SCHEMAS_BUCKET,
  SHARES_BUCKET,
  STREAMS_BUCKET,
  TOKENS_BUCKET,
} from '../buckets.ts';
import { streamName } from '../../schemas/subjects.ts';

/** Roles of Spor's services. */
export const SERVICE_ROLES = ['ingest', 'processor', 'query'] as const;
/** Roles of people and of services downstream. */
export const OTHER_ROLES = ['operator', 'auditor', 'keys', 'downstream'] as const;

export type Role = (typeof SERVICE_ROLES)[number] | (typeof OTHER_ROLES)[number];

/** Subjects that an identity may publish to and subscribe to; wildcards as in NATS. */
export interface Rights {
  publish: string[];
  subscribe: string[];
}

/** Facts that the subjects of an identity depend on. */
export interface RightsScope {
  /** Number of shard streams. */
  shards: number;
  /** Subject of the identity's replies, without the last part. */
  inboxPrefix: string;
  /** Leave out rights that identities of before may lack (LATER_BUCKETS). */
  oldest?: boolean;
  /** Of a service downstream: whose events it reads. */
  tenantId?: string;
  /** Of a service downstream: absent or empty means all segments. */
  segmentIds?: readonly string[];
  /** Of a service downstream: further subjects, such as that of a replay. */
  subjects?: readonly string[];
}

/**
 * Use of a stream or bucket; each includes those before it.
 *
 * `read`: messages and state. `write`: publish. `own`: create the stream and change its settings. `make` is apart: read,
 * and create the stream if it is missing.
 */
type Use = 'read' | 'make' | 'write' | 'own';

/** Uses of each bucket by role. The operator may do everything. A new bucket needs a row here. */
const BUCKET_USES: Record<string, Partial<Record<Role, Use>>> = {
  [KEYS_BUCKET]: { ingest: 'read', query: 'own', keys: 'own' },
  [TOKENS_BUCKET]: { query: 'own', keys: 'own' },
  [SCHEMAS_BUCKET]: { ingest: 'read', processor: 'own', query: 'read', auditor: 'read' },
  [LEASES_BUCKET]: { processor: 'own', query: 'read', auditor: 'read' },
  [PROGRESS_BUCKET]: { processor: 'own', query: 'read', auditor: 'read' },
  [INTENTS_BUCKET]: { processor: 'own' },
  [REPLAYS_BUCKET]: {},
  [QUOTAS_BUCKET]: { ingest: 'make', query: 'own', keys: 'own', auditor: 'read' },
  [SHARES_BUCKET]: { ingest: 'own', query: 'make', keys: 'make', auditor: 'read' },
  [CHANGES_BUCKET]: { ingest: 'own', processor: 'own', query: 'own', keys: 'own', auditor: 'read' },
  [STREAMS_BUCKET]: { ingest: 'write', processor: 'own', query: 'read', auditor: 'read' },
};

/** Subjects of each role on each shard stream. */
const SHARD_RIGHTS: Partial<Record<Role, (stream: string) => string[]>> = {
  ingest: (stream) => [`$JS.API.STREAM.INFO.${stream}`],
  processor: (stream) => [
    ...readStream(stream, '>'),
    `$JS.API.STREAM.CREATE.${stream}`,
    `$JS.API.STREAM.UPDATE.${stream}`,
    `$JS.API.STREAM.PURGE.${stream}`,
  ],
  query: (stream) => readStream(stream, '>'),
  auditor: (stream) => readStream(stream, '>'),
  // Each connection asks for the state of a stream, to notice a server without a quorum.
  keys: (stream) => [`$JS.API.STREAM.INFO.${stream}`],
};

/** Rights that belong to a role, whichever streams there are. */
const OWN_RIGHTS: Partial<Record<Role, Rights>> = {
  ingest: {
    publish: ['events.*.*.*', 'quarantine.*.*.*'],
    // Reports of deleted streams, so that no receipt points into a wrong one.
    subscribe: ['$JS.EVENT.ADVISORY.STREAM.*.*'],
  },
  operator: { publish: ['>'], subscribe: ['$JS.EVENT.ADVISORY.>'] },
};

/** Requests that every client of JetStream sends: its own rights, and the limits of the account. */
const EVERYBODY = ['$SYS.REQ.USER.INFO', '$JS.API.INFO'];

/** The subjects that an identity of a role needs, and no more. */
export function rightsOf(role: Role, scope: RightsScope): Rights {
  const subscribe = [`${scope.inboxPrefix}.>`, ...(OWN_RIGHTS[role]?.subscribe ?? [])];
  // Without any right to publish it cannot name a reply subject. The server does not check those.
  if (role === 'downstream') return { publish: [], subscribe: downstreamSubjects(scope) };
  if (role === 'operator') return { publish: ['>'], subscribe };
  const publish = [...EVERYBODY, ...(OWN_RIGHTS[role]?.publish ?? [])];
  // One more than there are: a stream after the last tells that SPOR_SHARDS is wrong.
  for (let shard = 0; shard <= scope.shards; shard++) publish.push(...(SHARD_RIGHTS[role]?.(streamName(shard)) ?? []));
  for (const [bucket, uses] of Object.entries(BUCKET_USES)) {
    const use = uses[role];
    if (use && !(scope.oldest && LATER_BUCKETS.includes(bucket))) publish.push(...bucketSubjects(bucket, use));
  }
  return { publish, subscribe };
}

function downstreamSubjects({ tenantId, segmentIds = [], subjects = [] }: RightsScope): string[] {
  const segments = segmentIds.length === 0 ? ['*'] : segmentIds;
  const own = segments.flatMap((segment) => [`events.*.${tenantId}.${segment}`, `quarantine.*.${tenantId}.${segment}`]);
  return [...own, ...subjects];
}

function bucketSubjects(bucket: string, use: Use): string[] {
  const stream = `KV_${bucket}`;
  return [
    ...readStream(stream, `$KV.${bucket}.>`),
    ...(use === 'write' || use === 'own' ? [`$KV.${bucket}.>`] : []),
    ...(use === 'make' || use === 'own' ? [`$JS.API.STREAM.CREATE.${stream}`] : []),
    ...(use === 'own' ? [`$JS.API.STREAM.UPDATE.${stream}`] : []),
  ];
}

/** Requests that read a stream: state, single messages, consumers. */
function readStream(stream: string, filter: string): string[] {
  return [
    `$JS.API.STREAM.INFO.${stream}`,
    `$JS.API.STREAM.MSG.GET.${stream}`,
    `$JS.API.DIRECT.GET.${stream}`,
    `$JS.API.DIRECT.GET.${stream}.${filter}`,
    `$JS.API.CONSUMER.CREATE.${stream}`,
    `$JS.API.CONSUMER.CREATE.${stream}.>`,
    `$JS.API.CONSUMER.INFO.${stream}.*`,
    `$JS.API.CONSUMER.DELETE.${stream}.*`,
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.*`,
    `$JS.FC.${stream}.>`,
  ];
}
