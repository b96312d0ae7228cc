import { randomBytes } from 'node:crypto';
import { availableParallelism, hostname } from 'node:os';
import { jetstreamManager } from '@nats-io/jetstream';
import { duckdbCheckpoints } from '../lake/delta/checkpointParquet.ts';
import { openTables } from '../lake/layout/openTables.ts';
import { openStorage } from '../lake/storage/open.ts';
import { probeStorage } from '../lake/storage/probe.ts';
import { compareAndSetRecord } from '../stream/compareAndSet.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { connectNats } from '../stream/nats.ts';
import { startOpsServer } from '../runtime/opsServer.ts';
import { runProcess } from '../runtime/process.ts';
import { ensureStreams } from '../stream/streams.ts';
import { agreedSchemas, type UsedSchemas } from '../schemas/compatibility.ts';
import { SCHEMAS_BUCKET, SCHEMAS_KEY } from '../stream/buckets.ts';
import { createRegistry } from '../schemas/registry.ts';
import { streamName, streamSubjects } from '../schemas/subjects.ts';
import { Progress } from '../stream/progress.ts';
import { readProcessorConfig } from './config.ts';
import { armFailPoint } from '../runtime/failpoint.ts';
import { createProcessorMetrics } from './metrics.ts';
import { Engine } from '../lake/duckdb/engine.ts';
import type { ShardContext } from './shards/context.ts';
import { Semaphore } from '../runtime/semaphore.ts';
import { ShardManager } from './shards/shardManager.ts';
import { Leases } from './shards/leases.ts';
import { ShardWorker } from './shards/worker.ts';
import { MaintenanceLoop } from './maintenanceLoop.ts';
import { openWorkDir, removeWorkDir } from '../runtime/workDir.ts';
import { HOUR_MS } from '../runtime/units.ts';

await runProcess('processor', async ({ log, resources, env, ready }) => {
  const config = readProcessorConfig(env);
  const { shards, replicas } = config;
  const registry = createRegistry();
  const metrics = createMetrics('processor');
  const id = `${hostname().replace(/[^A-Za-z0-9_-]/g, '_')}-${process.pid}-${randomBytes(4).toString('hex')}`;

  const dir = resources.add('work folder', await openWorkDir(config.workDir, 'processor'), removeWorkDir);
  const engine = resources.add(
    'engine',
    new Engine({ dir, memory: config.duckdbMemory, threads: config.duckdbThreads, preallocateMemory: true, log }),
    (opened) => opened.close(),
  );
  await engine.start();

  const storage = resources.add('storage', await openStorage(config.lakeUrl, config), (opened) => opened.close());
  await probeStorage(storage);

  const connection = await connectNats({ url: config.natsUrl, name: 'spor-processor', log });
  resources.add('stream connection', connection, (opened) => opened.close());
  await ensureStreams(connection, {
    streams: Array.from({ length: shards }, (_, shard) => ({
      name: streamName(shard),
      subjects: streamSubjects(shard),
    })),
    beyond: streamName(shards),
    maxBytes: config.streamMaxBytes,
    replicas,
  });

  await compareAndSetRecord<UsedSchemas>(connection, { bucket: SCHEMAS_BUCKET, key: SCHEMAS_KEY, replicas }, (used) =>
    agreedSchemas(used, registry),
  );

  const processorMetrics = createProcessorMetrics(metrics);
  const tables = openTables(storage, registry, duckdbCheckpoints(engine));
  let upkeep: MaintenanceLoop | undefined;
  const context: ShardContext = {
    connection,
    manager: await jetstreamManager(connection),
    storage,
    engine,
    buildPermits: new Semaphore(availableParallelism()),
    registry,
    tables,
    progress: await Progress.open(connection, { replicas }),
    metrics: processorMetrics,
    reach: armFailPoint(config.failPoint),
    log,
    dir,
    shards,
    replicas,
    limits: { bytes: config.windowMaxBytes, messages: config.windowMaxMessages, ageMs: config.windowMaxMs },
    dedupe: { maxBytes: Math.floor(config.dedupeBytes / shards), windowMs: config.dedupeHours * HOUR_MS },
    streamKeepMs: config.streamKeepHours * HOUR_MS,
    onCommitted: (tenantId) => upkeep?.notice(tenantId),
  };

  const leaseMs = config.leaseSeconds * 1_000;
  const leases = await Leases.open(connection, { id, leaseMs, replicas, log, changed: () => keeper.wake() });
  resources.add('leases', leases, (opened) => opened.stop());
  const keeper = new ShardManager({
    leases,
    shards,
    leaseMs,
    log,
    begin: (lease) => new ShardWorker(context, lease),
    onLost: (shard) => processorMetrics.lost.inc({ shard: String(shard) }),
  });
  const ops = await startOpsServer({
    host: config.host,
    port: config.port,
    metrics,
    notReady: () => (connection.isClosed() ? 'the stream connection is closed' : keeper.trouble),
  });
  resources.add('ops server', ops, (opened) => opened.close());
  keeper.start();
  resources.add('shards', keeper, (opened) => opened.stop());
  if (config.maintenance) {
    upkeep = await MaintenanceLoop.start({ config, storage, tables, dir, log, metrics, owned: () => keeper.shards });
    resources.add('maintenance', upkeep, (opened) => opened.stop());
  }
  ready({ port: ops.port, id });
});
