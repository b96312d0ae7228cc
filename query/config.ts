import { DEDUPE_HOURS, LAKE_SETTINGS } from '../lake/config.ts';
import { addressFault } from './access/publicAddress.ts';
import { ConfigError, readConfig, secret, text, whole, type Setting } from '../runtime/config.ts';
import { METRICS_TOKEN } from '../runtime/metricsToken.ts';
import { MIB } from '../runtime/units.ts';
import { checkConnection, NATS_SETTINGS } from '../stream/credentials.ts';

/** Settings of queries, for the query server and the command line. */
export const QUERY_SETTINGS = {
  workDir: text('WORK_DIR', 'folder for the cache of S3 files', './.spor/work/lake'),
  cacheMaxBytes: whole('LAKE_CACHE_MAX_BYTES', 'largest size of the cache, in bytes', 10_240 * MIB, MIB),
  queryMemoryMb: whole('LAKE_QUERY_MEMORY_MB', 'memory limit of a query, in MiB', 1_024, 32),
  queryThreads: whole('LAKE_QUERY_THREADS', 'threads of a query', 2, 1, 256),
  queryTimeoutMs: whole('LAKE_QUERY_TIMEOUT_MS', 'time limit of a query', 30_000, 100, 3_600_000),
  queryMaxRows: whole('LAKE_QUERY_MAX_ROWS', 'limit of rows in an answer', 100_000, 1, 100_000_000),
  queryMaxBytes: whole('LAKE_QUERY_MAX_BYTES', 'limit of bytes in an answer', 64 * MIB, 1_024, 4_096 * MIB),
} satisfies Record<string, Setting<unknown>>;

/** Settings of the query server. */
export const QUERY_SERVER_SETTINGS = {
  host: text('LAKE_HOST', 'address that the query server listens on', '127.0.0.1'),
  port: whole('LAKE_PORT', 'port that the query server listens on; 0: any free one', 4002, 0, 65_535),
  metricsToken: METRICS_TOKEN,
  ...NATS_SETTINGS,
  replicas: whole('NATS_REPLICAS', 'copies of the buckets of keys and tokens in the NATS cluster', 1, 1, 5),
  concurrentQueries: whole(
    'LAKE_CONCURRENT_QUERIES',
    'number of queries that run at once; of several, one is left to other tenants',
    3,
    1,
    64,
  ),
  queuedQueries: whole(
    'LAKE_QUEUED_QUERIES',
    'number of queries that wait; 429 above it, but a tenant with nothing under way always waits',
    16,
    0,
    10_000,
  ),
  tailMaxBytes: whole(
    'LAKE_TAIL_MAX_BYTES',
    "limit of bytes in a tenant's uncommitted messages that a query reads; an answer without the newest says so",
    64 * MIB,
    MIB,
    1_024 * MIB,
  ),
  tokensStaleSeconds: whole(
    'LAKE_TOKENS_STALE_SECONDS',
    'how long read tokens are accepted while their changes cannot be followed; 503 after it',
    60,
    1,
    86_400,
  ),
  catalogueMaxBytes: whole(
    'LAKE_CATALOGUE_MAX_BYTES',
    'largest body of PUT /api/catalogue, in bytes',
    64 * MIB,
    1_024,
    1_024 * MIB,
  ),
  publicUrl: text('LAKE_PUBLIC_URL', 'address of the console as people see it, for sign-in with a provider', ''),
  sessionHours: whole('LAKE_SESSION_HOURS', 'time after which people sign in again', 12, 1, 720),
  oidcIssuer: text('OIDC_ISSUER', 'issuer of the OpenID provider for people; empty: tokens only', ''),
  oidcClientId: text('OIDC_CLIENT_ID', 'id of this server at the provider', ''),
  oidcClientSecret: secret('OIDC_CLIENT_SECRET', 'secret of this server at the provider; empty: a public client'),
  oidcScopes: text('OIDC_SCOPES', 'scopes to ask the provider for, with blanks between', 'openid profile email'),
  oidcRolesClaim: text('OIDC_ROLES_CLAIM', "claim that holds a person's roles", 'spor_roles'),
  dedupeHours: DEDUPE_HOURS,
  usageSeconds: whole(
    'LAKE_USAGE_SECONDS',
    'time between updates of the usage tables, and of query counts that a killed server loses; 0: never',
    900,
    0,
    86_400,
  ),
  martsSeconds: whole('LAKE_MARTS_SECONDS', 'time between refreshes of the marts; 0: never', 900, 0, 86_400),
  ...LAKE_SETTINGS,
  ...QUERY_SETTINGS,
} satisfies Record<string, Setting<unknown>>;

export type QueryServerConfig = ReturnType<typeof readQueryServerConfig>;

/** Read the settings. @throws ConfigError listing every fault */
export function readQueryServerConfig(env: Record<string, string | undefined>) {
  const config = checkConnection(readConfig(QUERY_SERVER_SETTINGS, env));
  if (config.oidcIssuer === '') return config;
  const faults = [
    ...(['OIDC_ISSUER', 'LAKE_PUBLIC_URL'] as const).flatMap((name) => {
      const fault = addressFault(name === 'OIDC_ISSUER' ? config.oidcIssuer : config.publicUrl);
      return fault === undefined ? [] : [`${name} ${fault}`];
    }),
    ...(config.oidcClientId === '' ? ['OIDC_CLIENT_ID is missing, and OIDC_ISSUER needs it'] : []),
  ];
  if (faults.length > 0) throw new ConfigError(faults);
  return config;
}
