import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../runtime/log.ts';
import { observeDiskSpace } from '../runtime/diskSpace.ts';
import { createMetrics, observeReadiness } from '../runtime/metrics.ts';
import { openMetricsWarning } from '../runtime/metricsToken.ts';
import { openComparedClock, type ComparedClock } from '../stream/comparedClock.ts';
import { watchDenials, type Denials } from '../stream/denials.ts';
import { checkRights, type Granted } from '../stream/identities/checkRights.ts';
import { applyLimits } from '../stream/limits.ts';
import { untilServed } from '../stream/untilServed.ts';
import { connectNats, reportLoss, type NatsConnection } from '../stream/nats.ts';
import type { Resources } from '../runtime/resources.ts';
import { delay } from '../runtime/retry.ts';
import type { SecretWatch } from '../stream/secretStore.ts';
import type { TokenRecord } from '../schemas/keys.ts';
import { openWorkDir, removeWorkDir } from '../runtime/workDir.ts';
import { createRegistry } from '../schemas/registry.ts';
import { createChanges } from './accounts/changes.ts';
import { keepUsage } from './accounts/keepUsage.ts';
import { createQueryUses } from './accounts/queryUse.ts';
import { createUsageTables } from './accounts/usageTable.ts';
import { createAudit } from './audit/audit.ts';
import { auditRoutes } from './http/routes/audit.ts';
import { openSecretAccess, type SecretAccess } from './access/access.ts';
import { isKnownTenant } from './access/knownTenants.ts';
import type { QueryServerConfig } from './config.ts';
import { consoleRoutes } from './http/routes/console.ts';
import { lagRoute } from './http/routes/lag.ts';
import { liveRoute } from './http/routes/live.ts';
import type { ChangeLog, ChangeRecord } from '../schemas/change.ts';
import { changesMadeRoute } from './http/routes/changesMade.ts';
import { changesRoute } from './http/routes/changes.ts';
import { probeRoutes } from './http/routes/probes.ts';
import { queryRoute } from './http/routes/query.ts';
import { reportRoutes } from './http/routes/reports.ts';
import { secretRoutes } from './http/routes/secrets.ts';
import { quotaRoutes } from './http/routes/quota.ts';
import { usageRoute } from './http/routes/usage.ts';
import { createProvider } from './access/provider.ts';
import { sessionCookie } from './http/sessionCookie.ts';
import { signInRoutes } from './http/routes/signIn.ts';
import { sessionRoute } from './http/routes/session.ts';
import { catalogueRoute } from './http/routes/catalogue.ts';
import { zoneRoutes } from './http/routes/zones.ts';
import { startQueryServer } from './http/server.ts';
import { createLiveViews } from './live/liveView.ts';
import { startMartRefreshes } from './marts/background.ts';
import { createMartMetrics } from './marts/metrics.ts';
import { QueryMetrics } from './http/metrics.ts';
import { readErasures } from '../lake/erasure/list.ts';
import { LiveTail } from './tail/liveTail.ts';
import { openLakeQueries } from './engine/open.ts';
import { changeFiles } from '../lake/layout/changeFiles.ts';
import { listTenants } from '../lake/layout/tenants.ts';
import type { LocalFiles } from '../lake/files/localFiles.ts';
import { createSlots } from './engine/slots.ts';
import { createPendingAnswers } from './engine/pendingAnswers.ts';
import { WorkerPool } from './sandbox/worker/pool.ts';
import type { Storage } from '../lake/storage/storage.ts';
import { HOUR_MS } from '../runtime/units.ts';

const OPEN_API = new URL('../schemas/generated/queryOpenapi.json', import.meta.url);
const STORAGE_CHECK_MS = 5_000;
/** Time for requests under way at a stop. Their callers ask another server, or this one again. */
const STOP_DEADLINE_MS = 600;
/** Log entries that one question about a receipt reads for erasures. */
const RECEIPT_READS = 2_000;
const UNSENT = { perToken: 8, perTenant: 8, total: 32 };
/**
 * Longest loss of the token watch before the server is not ready.
 *
 * A revoked token may still work until then.
 */
const TOKENS_STALE_MS = 30_000;

/**
 * Start the query server: HTTP, then storage and tokens.
 *
 * HTTP comes first, so that it can report missing parts. Resolves when queries are answered.
 */
export async function startQueryService(options: {
  config: QueryServerConfig;
  log: Logger;
  resources: Resources;
  /** Called for a fault that only a new process can fix. */
  fail?: (error: Error) => void;
}): Promise<{ port: number }> {
  const { config, log, resources, fail } = options;
  const registry = createRegistry();
  const state: {
    connection?: NatsConnection;
    access?: SecretAccess;
    clock?: ComparedClock;
    denials?: Denials;
  } = {};
  const dir = resources.add('work folder', await openWorkDir(join(config.workDir, 'queries'), 'lake'), removeWorkDir);
  const openTail = (localFiles: LocalFiles, storage: Storage): LiveTail => {
    const tail = new LiveTail({
      connection: () => state.connection,
      registry,
      localFiles,
      erasures: (tenantId) => readErasures(storage, tenantId),
      dir: join(dir, 'tail'),
      maxBytes: config.tailMaxBytes,
      dedupeWindowMs: config.dedupeHours * HOUR_MS,
      log,
    });
    return resources.add('live tail', tail, (open) => open.close());
  };
  const executor = await WorkerPool.start(log);
  const { storage, tables, localFiles, queries } = await openLakeQueries(config, registry, {
    openTail,
    executor,
    dir: join(dir, 'answers'),
  });
  resources.add('lake', queries, () => queries.close());
  const slots = createSlots({ concurrent: config.concurrentQueries, queued: config.queuedQueries });
  const lookups = createSlots({ concurrent: config.concurrentQueries, queued: config.queuedQueries });
  const unsent = createPendingAnswers(UNSENT);
  const uses = createQueryUses();
  const answering = { queries: uses.counted(queries), slots, unsent };
  const usage = resources.add('usage', createUsageTables({ storage, tables, localFiles }), (open) => open.close());
  const storageFault = watchStorage(storage, { log, resources });
  const { replicas } = config;
  const metrics = new QueryMetrics(createMetrics('lake'), slots);
  const refused = (clocks: string): void => {
    metrics.markRefused();
    log.error({ code: 'clocks_differ', clocks }, 'no mark of completeness is given: the clocks do not agree');
  };
  const audit = createAudit({
    storage,
    tables,
    localFiles,
    connection: () => state.connection,
    refused,
    mostReads: RECEIPT_READS,
  });
  resources.add('audit', audit, (open) => open.close());

  const notReady = (): string | undefined =>
    tokensFault(state.access?.watchedTokens) ?? storageFault() ?? state.denials?.reason();

  observeReadiness(metrics.registry, notReady);
  observeDiskSpace(metrics.registry, { work: dir });

  const changeLog = (): ChangeLog | undefined => state.access?.changes?.log;
  const inStream = (): ChangeRecord[] =>
    [...(state.access?.changes?.records.entries() ?? [])].map(([, record]) => record);
  const changes = resources.add('changes', createChanges({ storage, localFiles, others: inStream }), (open) =>
    open.close(),
  );
  const secrets = { keys: () => state.access?.keys, tokens: () => state.access?.tokens };
  const isKnown = (tenantId: string): Promise<boolean> => isKnownTenant(tenantId, { ...state.access, storage });
  const live = createLiveViews({ connection: () => state.connection, registry, log });

  const cookie = config.oidcIssuer === '' ? undefined : sessionCookie(config.publicUrl);
  const signIn = cookie && {
    provider: createProvider(config),
    cookie,
    sessions: () => state.access?.sessions,
    changes: changeLog,
    sessionHours: config.sessionHours,
    log,
  };
  const server = await startQueryServer({
    host: config.host,
    port: config.port,
    routes: [
      ...probeRoutes({
        metrics: metrics.registry,
        metricsToken: config.metricsToken,
        notReady,
        openApi: readFileSync(OPEN_API, 'utf8'),
      }),
      queryRoute(answering),
      ...reportRoutes(answering, registry),
      ...auditRoutes({ audit, slots, lookups }),
      ...secretRoutes(secrets, { log, isKnownTenant: isKnown, changes: changeLog }),
      sessionRoute(secrets, storage),
      catalogueRoute({ storage, localFiles }, { maxBytes: config.catalogueMaxBytes, log }),
      ...zoneRoutes(tables, { log, changes: changeFiles(storage) }),
      ...signInRoutes(signIn),
      liveRoute(live, secrets.keys),
      lagRoute(audit),
      ...quotaRoutes(() => state.access?.quotas, { log, changes: changeLog }),
      changesMadeRoute({ changes, lookups }),
      usageRoute({ usage, lookups, tenants: () => listTenants(storage) }),
      ...consoleRoutes(),
      changesRoute({ storage, tables, registry }, { slots: lookups, unsent }),
    ],
    metrics,
    log,
    isKnownTenant: isKnown,
    cookie,
    tokens: () => unlessStale(state.access?.watchedTokens, config.tokensStaleSeconds * 1_000),
    keys: () => unlessStale(state.access?.watchedKeys, config.tokensStaleSeconds * 1_000),
    times: () => state.clock?.times() ?? [Date.now()],
  });
  resources.add('http', server, () => server.close(STOP_DEADLINE_MS));
  const openMetrics = openMetricsWarning(config.metricsToken, config.host);
  if (openMetrics) log.warn({ host: config.host }, openMetrics);

  const connection = await connectNats({ url: config.natsUrl, access: config, name: 'spor-lake', log });
  state.connection = resources.add('stream server', connection, reportLoss(connection, fail));
  state.denials = watchDenials(connection, metrics.registry, log);
  const check = (): Promise<Granted> => checkRights(connection, 'query', 0);
  const { mayPublish } = await untilServed(check, 'the rights of this identity', log);
  const apply = (): Promise<void> => applyLimits(connection, { replicas }, { mayPublish, log });
  await untilServed(apply, 'the limits of the streams', log);
  state.clock = await openComparedClock(connection, { log });
  resources.add('clock', state.clock, (open) => open.close());
  state.access = await openSecretAccess({ connection, replicas: config.replicas, resources, log, mayPublish });
  if (config.usageSeconds > 0) {
    const everyMs = config.usageSeconds * 1_000;
    const updated = (outcome: 'ok' | 'failed'): void => metrics.usageUpdated(outcome);
    resources.add('usage updates', keepUsage({ storage, usage, uses, changes, everyMs, log, updated }), (stop) =>
      stop(),
    );
  }
  if (config.martsSeconds > 0) {
    const stopRefreshes = startMartRefreshes({
      storage,
      registry,
      localFiles,
      config,
      dir,
      slots,
      log,
      metrics: createMartMetrics(metrics.registry),
    });
    resources.add('marts', stopRefreshes, (stop) => stop());
  }
  // Added last, so closed first: a view ends on its own only with its token.
  resources.add('live views', live, (open) => open.close());
  return { port: server.port };
}

/** Keys or tokens, unless one of them may have been revoked for too long. */
function unlessStale<T>(watch: SecretWatch<T> | undefined, longestMs: number): SecretWatch<T> | undefined {
  const { staleSinceMs } = watch ?? {};
  return staleSinceMs !== undefined && Date.now() - staleSinceMs > longestMs ? undefined : watch;
}

function tokensFault(tokens: SecretWatch<TokenRecord> | undefined): string | undefined {
  if (!tokens) return 'waiting for the read tokens';
  const { staleSinceMs } = tokens;
  const stale = staleSinceMs !== undefined && Date.now() - staleSinceMs > TOKENS_STALE_MS;
  return stale ? 'changes of read tokens cannot be followed: the stream server does not answer' : undefined;
}

/** Check at intervals whether the storage answers; returns the last fault. */
function watchStorage(
  storage: Storage,
  { log, resources }: { log: Logger; resources: Resources },
): () => string | undefined {
  const stop = new AbortController();
  let fault: string | undefined = 'waiting for the storage';
  const watch = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        await storage.list('events/')[Symbol.asyncIterator]().next();
        fault = undefined;
      } catch (error) {
        log.warn({ err: error }, 'the storage does not answer');
        fault = 'the storage does not answer';
      }
      await delay(STORAGE_CHECK_MS, stop.signal);
    }
  };
  const watching = watch();
  resources.add('storage watch', stop, async () => {
    stop.abort();
    await watching;
  });
  return () => fault;
}
