import { randomBytes } from 'node:crypto';
import { availableParallelism, hostname } from 'node:os';
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
import { Tracer } from '../runtime/tracing.ts';
import { Semaphore } from '../runtime/semaphore.ts';
import { HOUR_MS } from '../runtime/units.ts';
import { openWorkDir, removeWorkDir } from '../runtime/workDir.ts';
import { createRegistry } from '../schemas/registry.ts';
import type { ShardRange } from '../schemas/subjects.ts';
import { watchDenials } from '../stream/denials.ts';
import { checkRights, type Granted } from '../stream/identities/checkRights.ts';
import { connectNats, reportLoss } from '../stream/nats.ts';
import { followRecord } from '../stream/followRecord.ts';
import { agreedRange } from '../stream/shardCount.ts';
import { readStreamClock } from '../stream/streamClock.ts';
import { rangeOf, type StreamsRecord } from '../stream/streamsRecord.ts';
import { untilServed } from '../stream/untilServed.ts';
import type { ProcessorConfig } from './config.ts';
import { openStreamAccess, type WaitFor } from './openStreamAccess.ts';
import { MaintenanceLoop } from './maintenanceLoop.ts';
import { createProcessorMetrics } from './metrics.ts';
import type { ShardContext, ShardSettings } from './shards/context.ts';
import { GrowthCoordinator } from './shards/growth.ts';
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
  const mustHaveRights = (upTo: number): Promise<Granted> =>
    waitFor('the rights of this identity', () => checkRights(connection, 'processor', upTo));
  const granted = await mustHaveRights(shards);
  let range = await waitFor('the event streams', () => agreedRange(connection, { shards, replicas }));
  if (range.first > 0) await mustHaveRights(range.first + range.shards);
  processorMetrics.shards.set(range.shards);
  let hurried = false;

  const unparkTries = new Map<string, number>();
  const started: { shardManager?: ShardManager; maintenance?: MaintenanceLoop } = {};
  const shared = { config, registry, granted, log, range: () => range };
  // Of two clocks the later: one behind would let every file of the lake count for resends.
  const now = steadyClock(Math.max(Date.now(), await storage.now()));
  const reach = armFailPoint(config.failPoint);
  const tracer = Tracer.start(config, { service: 'spor-processor', log, metrics });
  if (tracer) resources.add('traces', tracer, (opened) => opened.close());
  const contextOf = (of: ShardRange): ShardContext => ({
    ...context,
    settings: shardSettings(config, { dir, now, range: of }),
  });
  let context: ShardContext = {
    stream: await openStreamAccess(connection, { ...shared, waitFor }),
    lake: { storage, tables, engine, buildPermits: new Semaphore(availableParallelism()), registry },
    settings: shardSettings(config, { dir, now, range }),
    metrics: processorMetrics,
    reach,
    isHurried: () => hurried,
    tracer,
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
    range: () => range,
    leases,
    log,
    reopen: async () => {
      await openStreamAccess(connection, { ...shared, waitFor: (_, task) => task() });
    },
  });
  resources.add('buckets', buckets, (opened) => opened.stop());
  const shardManager = (started.shardManager = new ShardManager({
    leases,
    range: () => range,
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
  const coordinator = new GrowthCoordinator(context.stream, { maxBytes: config.streamMaxBytes, reach, log });
  const onRecord = async (record: StreamsRecord): Promise<void> => {
    const recorded = rangeOf(record);
    if (recorded.first !== range.first) {
      range = recorded;
      context = contextOf(range);
      processorMetrics.shards.set(range.shards);
      shardManager.wake();
    }
    hurried = record.growth?.closing === true;
    if (hurried) shardManager.nudge();
    if (shardManager.shards.includes(range.first)) await coordinator.step(record);
  };
  const following = followRecord(context.stream.manager, { onRecord, log });
  resources.add('record of streams', following, (opened) => opened.stop());
  if (config.maintenance) {
    const owned = (): number[] => shardManager.shards;
    const { manager } = context.stream;
    const present = createPresent(storage, () => readStreamClock(manager));
    const maintenance = await MaintenanceLoop.start({
      config,
      storage,
      tables,
      dir,
      log,
      metrics,
      owned,
      range: () => range,
      present,
    });
    started.maintenance = resources.add('maintenance', maintenance, (opened) => opened.stop());
  }
  return { port: ops.port, id };
}

/** Bytes of messages that may wait for their commit, over all shards. */
const HELD_BYTES = 64 * 1_048_576;

function shardSettings(
  config: ProcessorConfig,
  { dir, now, range }: { dir: string; now: () => number; range: ShardRange },
): ShardSettings {
  const { windowMaxBytes, windowMaxMessages, windowMaxMs } = config;
  return {
    range,
    dir,
    window: { bytes: windowMaxBytes, messages: windowMaxMessages, ageMs: windowMaxMs },
    commits: {
      leastAgeMs: windowMaxMs,
      mostAgeMs: config.commitMaxSeconds * 1_000,
      commitsPerSecond: config.commitsPerSecond / range.shards,
      bytes: config.commitMaxBytes,
      heldBytes: HELD_BYTES / range.shards,
    },
    dedupe: {
      maxBytes: Math.floor(config.dedupeBytes / range.shards),
      windowMs: config.dedupeHours * HOUR_MS,
      now,
    },
    streamKeepMs: config.streamKeepHours * HOUR_MS,
  };
}

/** Make an id that no other process ever has. */
function processorId(): string {
  return `${hostname().replace(/[^A-Za-z0-9_-]/g, '_')}-${process.pid}-${randomBytes(4).toString('hex')}`;
}
