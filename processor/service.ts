import { randomBytes } from 'node:crypto';
import { availableParallelism, hostname } from 'node:os';
import { jetstreamManager } from '@nats-io/jetstream';
import { steadyClock } from '../lake/dedupe/duplicates.ts';
import { duckdbCheckpoints } from '../lake/delta/checkpointParquet.ts';
import { Engine } from '../lake/duckdb/engine.ts';
import { createTableCache } from '../lake/layout/tableCache.ts';
import { createPresent } from '../lake/storage/agreedTime.ts';
import { localFolder, openStorage } from '../lake/storage/open.ts';
import { probeStorage } from '../lake/storage/probe.ts';
import { armFailPoint } from '../runtime/failpoint.ts';
import type { Logger } from '../runtime/log.ts';
import { observeDiskSpace } from '../runtime/diskSpace.ts';
import { createMetrics, observeReadiness } from '../runtime/metrics.ts';
import { startOpsServer } from '../runtime/opsServer.ts';
import type { Resources } from '../runtime/resources.ts';
import { Semaphore } from '../runtime/semaphore.ts';
import { HOUR_MS } from '../runtime/units.ts';
import { openWorkDir, removeWorkDir } from '../runtime/workDir.ts';
import { createRegistry, type Registry } from '../schemas/registry.ts';
import { streamName, streamSubjects } from '../schemas/subjects.ts';
import { watchDenials } from '../stream/denials.ts';
import { checkRights, type Granted } from '../stream/identities/checkRights.ts';
import { applyLimits } from '../stream/limits.ts';
import { connectNats, reportLoss, type NatsConnection } from '../stream/nats.ts';
import { Progress } from '../stream/progress.ts';
import { readStreamClock } from '../stream/streamClock.ts';
import { ensureStreams } from '../stream/streams.ts';
import { agreeOnSchemas } from '../stream/usedSchemas.ts';
import { untilServed } from '../stream/untilServed.ts';
import type { ProcessorConfig } from './config.ts';
import { MaintenanceLoop } from './maintenanceLoop.ts';
import { createProcessorMetrics } from './metrics.ts';
import type { ShardContext, ShardSettings, StreamAccess } from './shards/context.ts';
import { KnownStreams } from './shards/knownStreams.ts';
import { Leases } from './shards/leases.ts';
import { watchBuckets } from './watchBuckets.ts';
import { ShardManager } from './shards/shardManager.ts';
import { ShardWorker } from './shards/worker.ts';

export interface ProcessorOptions {
  config: ProcessorConfig;
  log: Logger;
  resources: Resources;
  /** Called for a fault that only a new process can fix. */
  fail?: (error: Error) => void;
}

/** Repeats a task until the stream server answers; /readyz names the wait. */
type WaitFor = <T>(what: string, task: () => Promise<T>) => Promise<T>;

/** Time without a window after which DuckDB's process ends. */
const DUCKDB_IDLE_MS = 60_000;

/**
 * Start the processor; resolves once it takes shards.
 *
 * HTTP starts first, so that /readyz can name what the processor waits for. Lake, stream and shards follow.
 * @throws Error for a fault that waiting does not fix: a taken port, an unfit store, another number of shards, an unfit
 *   nats-server
 */
export async function startProcessor({
  config,
  log,
  resources,
  fail,
}: ProcessorOptions): Promise<{ port: number; id: string }> {
  const { shards, replicas } = config;
  const registry = createRegistry();
  const metrics = createMetrics('processor');
  const processorMetrics = createProcessorMetrics(metrics, shards);
  const state: { notReady: () => string | undefined; parked: () => readonly object[] } = {
    notReady: () => 'waiting for the lake',
    parked: () => [],
  };
  const ops = await startOpsServer({
    host: config.host,
    port: config.port,
    metrics,
    notReady: () => state.notReady(),
    parked: () => state.parked(),
  });
  resources.add('ops server', ops, (opened) => opened.close());
  observeReadiness(metrics, () => state.notReady());

  const dir = resources.add('work folder', await openWorkDir(config.workDir, 'processor'), removeWorkDir);
  const engine = resources.add(
    'engine',
    new Engine({
      dir,
      memory: config.duckdbMemory,
      threads: config.duckdbThreads,
      keepMemory: true,
      idleMs: DUCKDB_IDLE_MS,
      log,
    }),
    (opened) => opened.close(),
  );
  await engine.start();
  const storage = resources.add('storage', await openStorage(config.lakeUrl, config), (opened) => opened.close());
  observeDiskSpace(metrics, { work: dir, ...localFolder(storage) });
  await probeStorage(storage);
  const tables = createTableCache(storage, registry, {
    checkpoints: duckdbCheckpoints(engine),
    most: config.openTables,
  });

  state.notReady = () => 'waiting for the stream server';
  const waitFor: WaitFor = (what, task) => {
    state.notReady = () => `waiting for ${what}`;
    return untilServed(task, what, log);
  };
  const connection = await connectNats({ url: config.natsUrl, access: config, name: 'spor-processor', log });
  resources.add('stream connection', connection, reportLoss(connection, fail));
  const denials = watchDenials(connection, metrics, log);
  const granted = await waitFor('the rights of this identity', () => checkRights(connection, 'processor', shards));

  const unparkTries = new Map<string, number>();
  const started: { shardManager?: ShardManager; maintenance?: MaintenanceLoop } = {};
  const context: ShardContext = {
    stream: await openStream(connection, { config, registry, granted, waitFor, log }),
    lake: { storage, tables, engine, buildPermits: new Semaphore(availableParallelism()), registry },
    // Of two clocks the later: one behind would let every file of the lake count for resends.
    settings: shardSettings(config, { dir, nowMs: Math.max(Date.now(), await storage.now()) }),
    metrics: processorMetrics,
    reach: armFailPoint(config.failPoint),
    log,
    unparkTries,
    onCommitted: (tenantId) => {
      unparkTries.delete(tenantId);
      started.maintenance?.notice(tenantId);
    },
  };

  const id = processorId();
  const leaseMs = config.leaseSeconds * 1_000;
  // Told of what there is before the manager is: its first look needs no wake.
  const changed = (): void => started.shardManager?.wake();
  const leases = await waitFor('the leases', () => Leases.open(connection, { id, leaseMs, replicas, log, changed }));
  resources.add('leases', leases, (opened) => opened.stop());
  const buckets = watchBuckets(context.stream.manager, {
    shards,
    leases,
    log,
    reopen: async () => {
      await openStream(connection, { config, registry, granted, waitFor: (_, task) => task(), log });
    },
  });
  resources.add('buckets', buckets, (opened) => opened.stop());
  const shardManager = (started.shardManager = new ShardManager({
    leases,
    shards,
    leaseMs,
    log,
    begin: (lease) => new ShardWorker(context, lease),
    onLost: (shard) => processorMetrics.lost.inc({ shard: String(shard) }),
    onTaken: (shard) => processorMetrics.released(shard),
  }));
  state.notReady = () =>
    connection.isClosed() ? 'the stream connection is closed' : (shardManager.trouble ?? denials.reason());
  state.parked = () => shardManager.parked;
  shardManager.start();
  resources.add('shards', shardManager, (opened) => opened.stop());
  if (config.maintenance) {
    const owned = (): number[] => shardManager.shards;
    const { manager } = context.stream;
    const present = createPresent(storage, () => readStreamClock(manager, shards));
    const maintenance = await MaintenanceLoop.start({ config, storage, tables, dir, log, metrics, owned, present });
    started.maintenance = resources.add('maintenance', maintenance, (opened) => opened.stop());
  }
  return { port: ops.port, id };
}

/** Open the streams and buckets that all shards share, creating missing ones. */
async function openStream(
  connection: NatsConnection,
  {
    config,
    registry,
    granted,
    waitFor,
    log,
  }: {
    config: ProcessorConfig;
    registry: Registry;
    granted: Granted;
    waitFor: WaitFor;
    log: Logger;
  },
): Promise<StreamAccess> {
  const { shards, replicas, streamMaxBytes: maxBytes } = config;
  const streams = Array.from({ length: shards }, (_, shard) => ({
    name: streamName(shard),
    subjects: streamSubjects(shard),
  }));
  const limits = { shards, replicas, maxBytes };
  await waitFor('the event streams', async () => {
    await applyLimits(connection, limits, { ...granted, log });
    await ensureStreams(connection, { streams, beyond: streamName(shards), maxBytes, replicas, log });
  });
  const agreeing = { replicas, by: 'processor', ...granted };
  await waitFor('the event schemas in use', () => agreeOnSchemas(connection, registry, agreeing));
  return {
    connection,
    manager: await waitFor('JetStream', () => jetstreamManager(connection)),
    progress: await waitFor('the progress of the shards', () => Progress.open(connection, { replicas })),
    known: new KnownStreams(),
    shards,
    replicas,
  };
}

/** Bytes of messages that may wait for their commit, over all shards. */
const HELD_BYTES = 64 * 1_048_576;

function shardSettings(config: ProcessorConfig, { dir, nowMs }: { dir: string; nowMs: number }): ShardSettings {
  const { shards, windowMaxBytes, windowMaxMessages, windowMaxMs } = config;
  return {
    shards,
    dir,
    window: { bytes: windowMaxBytes, messages: windowMaxMessages, ageMs: windowMaxMs },
    commits: {
      leastAgeMs: windowMaxMs,
      mostAgeMs: config.commitMaxSeconds * 1_000,
      commitsPerSecond: config.commitsPerSecond / shards,
      bytes: config.commitMaxBytes,
      heldBytes: HELD_BYTES / shards,
    },
    dedupe: {
      maxBytes: Math.floor(config.dedupeBytes / shards),
      windowMs: config.dedupeHours * HOUR_MS,
      now: steadyClock(nowMs),
    },
    streamKeepMs: config.streamKeepHours * HOUR_MS,
  };
}

/** Make an id that no other process ever has. */
function processorId(): string {
  return `${hostname().replace(/[^A-Za-z0-9_-]/g, '_')}-${process.pid}-${randomBytes(4).toString('hex')}`;
}
