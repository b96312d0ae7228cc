import { readFileSync } from 'node:fs';
import type { KeyRecord } from '../schemas/keys.ts';
import { KEYS_BUCKET } from '../stream/buckets.ts';
import { LIMITS } from '../schemas/limits.ts';
import { createRegistry, type Registry } from '../schemas/registry.ts';
import type { Logger } from '../runtime/log.ts';
import { createMetrics, observeReadiness } from '../runtime/metrics.ts';
import { Tracer } from '../runtime/tracing.ts';
import { openMetricsWarning } from '../runtime/metricsToken.ts';
import { ComparedClock, openComparedClock } from '../stream/comparedClock.ts';
import { watchDenials, type Denials } from '../stream/denials.ts';
import { checkRights, type Granted } from '../stream/identities/checkRights.ts';
import { agreedRange } from '../stream/shardCount.ts';
import { applyLimits } from '../stream/limits.ts';
import { connectNats, reportLoss, type NatsConnection } from '../stream/nats.ts';
import type { Resources } from '../runtime/resources.ts';
import { delay } from '../runtime/retry.ts';
import { watchSecrets } from '../stream/secretStore.ts';
import { agreeOnSchemas } from '../stream/usedSchemas.ts';
import { untilServed } from '../stream/untilServed.ts';
import { ByteBudget } from './byteBudget.ts';
import type { IngestConfig } from './config.ts';
import { Judge } from './events/judge.ts';
import { listenPort } from './http/listenPort.ts';
import type { Readiness } from './http/probes.ts';
import { IngestServer } from './http/server.ts';
import { Intake } from './intake.ts';
import { Keyring } from './keys/keyring.ts';
import { openTenantQuotas } from './quotas/openTenantQuotas.ts';
import type { TenantQuotas } from './quotas/tenantQuotas.ts';
import { IngestMetrics } from './metrics.ts';
import { untilStreams } from './stream/untilStreams.ts';
import { streamName, type ShardRange } from '../schemas/subjects.ts';
import { ShardWriters } from './stream/shardWriters.ts';

export interface IngestOptions {
  config: IngestConfig;
  log: Logger;
  resources: Resources;
  /** Wall clock in milliseconds. */
  clock?: () => number;
  /** Called when HTTP answers, before the stream is open. */
  onListening?: (port: number) => void;
  /** Called for a fault that only a new process can fix. */
  fail?: (error: Error) => void;
}

/** State for requests: HTTP listens before the stream and the keys are open. */
interface State {
  intake: Intake | undefined;
  readiness: () => Readiness;
}

const OPEN_API = new URL('../schemas/generated/openapi.json', import.meta.url);
const KEYS_STALE = 'changes of keys cannot be followed';
const STOP_DEADLINE_MS = 15_000;
const CLOSE_DEADLINE_MS = 2_000;

/**
 * Start the Event Receiver: HTTP, then streams and keys.
 * HTTP comes first, so that `/readyz` names a missing stream server. Resolves when events are accepted.
 * @throws Error for a fault that waiting cannot fix: a taken port, another number of shards, an unfit nats-server
 */
export async function startIngest(options: IngestOptions): Promise<{ port: number }> {
  const { config, log, resources } = options;
  const registry = createRegistry();
  const judge = new Judge(registry);
  const metrics = new IngestMetrics(createMetrics('ingest'));
  const budget = new ByteBudget(config.maxInFlightBytes);
  const state: State = { intake: undefined, readiness: () => ({ notReady: 'waiting for the stream server' }) };

  const server = new IngestServer({
    host: config.host,
    port: await listenPort({ host: config.host, port: config.port, share: config.sharePort }),
    budget,
    metrics,
    log,
    openApi: readFileSync(OPEN_API, 'utf8'),
    metricsToken: config.metricsToken,
    intake: () => state.intake,
    readiness: () => state.readiness(),
  });
  await server.listen();
  // For a start that fails half-way. Otherwise the last closer below has closed it before.
  resources.add('http', server, () => server.close({ graceMs: 0, deadlineMs: 0 }));
  const openMetrics = openMetricsWarning(config.metricsToken, config.host);
  if (openMetrics) log.warn({ host: config.host }, openMetrics);
  options.onListening?.(server.port);

  const { writers, keyring, quotas, clock, denials } = await openStream({ ...options, registry, budget, metrics });
  const { ackDeadlineMs } = config;
  const tracer = Tracer.start(config, { service: 'spor-ingest', log, metrics: metrics.registry });
  if (tracer) resources.add('traces', tracer, (opened) => opened.close());
  observeReadiness(metrics.registry, () => state.readiness().notReady);
  const keysStaleSeconds = (): number =>
    keyring.staleSinceMs === undefined ? 0 : Math.ceil((Date.now() - keyring.staleSinceMs) / 1000);
  metrics.observe({
    bytesInFlight: () => budget.used,
    requestsInFlight: () => server.inFlight,
    keys: () => keyring.size,
    keysStaleSeconds,
    clockAheadSeconds: () => clock.aheadSeconds,
    shardsUnavailable: () => writers.refused().length,
    streamsSetBack: () => writers.shardsSetBack,
  });
  state.readiness = () => ({
    notReady: writers.down() ?? denials.reason() ?? (keyring.staleSinceMs === undefined ? undefined : KEYS_STALE),
    keys: keyring.size,
    keysStaleSeconds: keysStaleSeconds(),
    shardsRefused: writers.refused(),
  });
  state.intake = new Intake({
    keyring,
    quotas,
    tracer,
    judge,
    registry,
    commit: writers,
    budget,
    metrics,
    log,
    ackDeadlineMs,
    clock,
  });

  resources.add('requests', writers, async () => {
    await server.close({ graceMs: config.drainSeconds * 1000, deadlineMs: STOP_DEADLINE_MS });
    await writers.drained(); // batches of disconnected senders are written too
    writers.close();
  });
  return { port: server.port };
}

interface OpenedStream {
  writers: ShardWriters;
  keyring: Keyring;
  quotas: TenantQuotas | undefined;
  clock: ComparedClock;
  denials: Denials;
}

/** Wait for the stream server, connect, and open streams and keys. */
async function openStream(
  options: IngestOptions & { registry: Registry; budget: ByteBudget; metrics: IngestMetrics },
): Promise<OpenedStream> {
  const { config, log, resources, metrics, budget } = options;
  const connection = await connectNats({ url: config.natsUrl, access: config, name: 'spor-ingest', log });
  const close = (): Promise<void> => closeConnection(connection, log);
  resources.add('stream server', connection, reportLoss(connection, options.fail, close));

  const largest = connection.info?.max_payload ?? Infinity;
  if (largest < 2 * LIMITS.bodyBytes)
    log.warn(
      { maxPayload: largest, wanted: 2 * LIMITS.bodyBytes },
      'nats-server takes only small messages, so large orders get 413: set max_payload to 8MB',
    );

  const { shards, replicas } = config;
  const denials = watchDenials(connection, metrics.registry, log);
  const check = (upTo: number): Promise<Granted> =>
    untilServed(() => checkRights(connection, 'ingest', upTo), 'the rights of this identity', log);
  const { mayPublish } = await check(shards);
  const mayCreate = mayPublish(`$JS.API.STREAM.CREATE.${streamName(0)}`);
  if (!mayCreate) await untilStreams(connection, log);
  const agreeOn = (): Promise<ShardRange> => agreedRange(connection, { shards, replicas });
  const range = await untilServed(agreeOn, 'the shards in use', log);
  if (range.first > 0) await check(range.first + range.shards);
  const limits = { range, replicas, maxBytes: config.streamMaxBytes };
  const apply = (): Promise<void> => applyLimits(connection, limits, { mayPublish, log });
  await untilServed(apply, 'the limits of the streams', log);
  const onPublished = metrics.published.bind(metrics);
  const open = (): Promise<ShardWriters> =>
    ShardWriters.open(connection, { ...limits, mayCreate, budget, onPublished, log });
  const writers = await untilServed(open, 'the event streams', log);
  const agreeing = { replicas, by: 'ingest', mayPublish };
  await untilServed(() => agreeOnSchemas(connection, options.registry, agreeing), 'the event schemas in use', log);
  resources.add('writers', writers, () => writers.close());
  const clock = options.clock ? new ComparedClock(options.clock) : await openComparedClock(connection, { log });
  resources.add('clock', clock, (opened) => opened.close());

  const watch = await untilServed(
    () => watchSecrets<KeyRecord>(connection, KEYS_BUCKET, replicas, log, { mayMake: mayCreate }),
    'the keys',
    log,
  );
  resources.add('keys', watch, () => watch.stop());
  const host = options.clock ? { clock: options.clock } : {};
  const now = (): number => clock.times()[0];
  const quotas = await openTenantQuotas(connection, { replicas, now, log, resources, mayPublish });
  return { writers, keyring: new Keyring(watch, { log, ...host }), quotas, clock, denials };
}

/** Send buffered messages if the server is connected, then close. */
async function closeConnection(connection: NatsConnection, log: Logger): Promise<void> {
  const drained = connection.drain().catch((error: unknown) => {
    log.info({ err: error }, 'the stream server was unavailable when its connection was closed');
  });
  await Promise.race([drained, delay(CLOSE_DEADLINE_MS)]);
  await connection.close();
}
