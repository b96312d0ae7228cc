import { readFileSync } from 'node:fs';
import { ByteBudget } from '../../ingest/byteBudget.ts';
import { readIngestConfig } from '../../ingest/config.ts';
import { Judge } from '../../ingest/events/judge.ts';
import { IngestServer } from '../../ingest/http/server.ts';
import { Intake } from '../../ingest/intake.ts';
import { Keyring } from '../../ingest/keys/keyring.ts';
import { ComparedClock } from '../../stream/comparedClock.ts';
import { IngestMetrics } from '../../ingest/metrics.ts';
import { GroupCommit } from '../../ingest/stream/groupCommit.ts';
import { placeBatch } from '../../ingest/stream/placeBatch.ts';
import type { Publisher } from '../../ingest/stream/publisher.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { StrictJudge } from './strictJudge.ts';
import { runProcess } from '../../runtime/process.ts';
import { secretHash, type KeyRecord } from '../../schemas/keys.ts';
import { createRegistry } from '../../schemas/registry.ts';

/**
 * The Event Receiver with a stream that stores nothing.
 *
 * Its rate is the limit of the real receiver: reading, parsing, validating and answering alone. It takes the keys in
 * BENCH_KEYS. With BENCH_JUDGE=strict it corrects nothing.
 */
await runProcess('discard', async ({ env, log, resources, ready }) => {
  const config = readIngestConfig(env);
  const record: KeyRecord = {
    tenantId: 'bench',
    segmentId: 'web',
    kind: 'server',
    origins: [],
    label: '',
    createdAt: '',
  };
  const keys = new Map((env.BENCH_KEYS ?? '').split(',').map((key) => [secretHash(key), { ...record }]));
  const watch = {
    get: (hash: string) => keys.get(hash),
    entries: () => keys.entries(),
    size: keys.size,
    staleSinceMs: undefined,
    current: true,
    untilCurrent: () => Promise.resolve(true),
    stop: () => undefined,
  };
  const publisher: Publisher = {
    maxPayloadBytes: 1_048_000,
    unavailable: () => undefined,
    publish: (messages) => {
      for (const message of messages) queueMicrotask(() => message.done({ epoch: 0, sequence: 1 }));
    },
  };
  const registry = createRegistry();
  const metrics = new IngestMetrics(createMetrics('discard'));
  const budget = new ByteBudget(config.maxInFlightBytes);
  const range = { first: 0, shards: config.shards };
  const commit = new GroupCommit({ publisher, budget, shards: config.shards });
  const intake = new Intake({
    keyring: new Keyring(watch, { log }),
    judge: env.BENCH_JUDGE === 'strict' ? new StrictJudge(registry) : new Judge(registry),
    registry,
    commit: { submit: (batch) => commit.submit(placeBatch(batch, range)) },
    budget,
    metrics,
    log,
    ackDeadlineMs: config.ackDeadlineMs,
    clock: new ComparedClock(),
  });
  const server = new IngestServer({
    host: config.host,
    port: config.port,
    budget,
    metrics,
    log,
    openApi: readFileSync(new URL('../../schemas/generated/openapi.json', import.meta.url), 'utf8'),
    metricsToken: '',
    intake: () => intake,
    readiness: () => ({ notReady: undefined, keys: keys.size, keysStaleSeconds: 0 }),
  });
  await server.listen();
  resources.add('http', server, () => server.close({ graceMs: 0, deadlineMs: 0 }));
  ready({ port: server.port });
});
