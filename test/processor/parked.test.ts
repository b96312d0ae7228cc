import { readFile, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { entryPath } from '../../lake/delta/log.ts';
import { shardOf } from '../../schemas/subjects.ts';
import { Progress, positionFor } from '../../stream/progress.ts';
import { anEvent, messageOf, SHARDS } from '../support/messages.ts';
import { runSpor } from '../support/runScript.ts';
import { startTestPipeline, type TestPipeline } from '../support/testPipeline.ts';
import { until } from '../support/until.ts';

const TENANT = 'demo-shop';
const SHARD = shardOf(TENANT, SHARDS);
const NEIGHBOUR = Array.from({ length: 50 }, (_, index) => `shop-${index}`).find(
  (of) => shardOf(of, SHARDS) === SHARD,
)!;
const ROOT = `events/tenant=${TENANT}`;

let bench: TestPipeline;
beforeEach(async () => {
  bench = await startTestPipeline();
});
afterEach(() => bench.stop());

let made = 0;
const publish = (tenantId: string): Promise<number> =>
  bench.publish(messageOf(tenantId, 'web', [{ events: [anEvent(made++)] }]));
const count = async (tenantId: string): Promise<number> => (await bench.rows('events', tenantId, 'event_id')).length;
const ids = async (tenantId: string): Promise<number> =>
  new Set((await bench.rows('events', tenantId, 'event_id')).map((row) => row.event_id)).size;

/** What Spark does to a table when it deletes a row with deletion vectors: an upgrade, then a marked file. */
async function deleteByAnotherEngine(version: number): Promise<void> {
  const put = (at: number, actions: object[]): Promise<void> =>
    writeFile(bench.storage.localPath(entryPath(ROOT, at))!, actions.map((of) => `${JSON.stringify(of)}\n`).join(''));
  const info = (operation: string): object => ({
    commitInfo: {
      timestamp: Date.now(),
      operation,
      engineInfo: 'Apache-Spark/4.0.1 Delta-Lake/4.0.0',
      userName: 'ann',
    },
  });
  const features = ['deletionVectors', 'appendOnly', 'invariants'];
  await put(version + 1, [
    info('SET TBLPROPERTIES'),
    {
      protocol: {
        minReaderVersion: 3,
        minWriterVersion: 7,
        readerFeatures: ['deletionVectors'],
        writerFeatures: features,
      },
    },
  ]);
  const first = await readFile(bench.storage.localPath(entryPath(ROOT, 0))!, 'utf8');
  const { add } = JSON.parse(first.split('\n').find((line) => line.startsWith('{"add"'))!) as { add: object };
  const deletionVector = {
    storageType: 'i',
    pathOrInlineDv: 'wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L',
    sizeInBytes: 40,
    cardinality: 1,
  };
  const { path } = add as { path: string };
  await put(version + 2, [
    info('DELETE'),
    { remove: { path, deletionTimestamp: Date.now(), dataChange: true } },
    { add: { ...add, dataChange: true, deletionVector } },
  ]);
}

test('a table that another engine upgraded parks its tenant alone; a restore takes it back whole', async () => {
  const first = await bench.processor();
  await publish(TENANT);
  await publish(NEIGHBOUR);
  await bench.settled();
  const { version } = await bench.table('events', TENANT).snapshot();
  await deleteByAnotherEngine(version);

  const waiting = await publish(TENANT);
  await publish(NEIGHBOUR);
  await until(async () => (await count(NEIGHBOUR)) === 2);
  await publish(TENANT);
  await publish(NEIGHBOUR);
  await until(async () => (await count(NEIGHBOUR)) === 3);

  const progress = await Progress.open(bench.connection, { replicas: 1 });
  const { created, state } = await bench.manager.streams.info(`EVENTS_${SHARD}`);
  await until(async () => positionFor(await progress.read(SHARD), created, NEIGHBOUR) === state.last_seq);
  expect(positionFor(await progress.read(SHARD), created, TENANT)).toBeLessThan(waiting);
  const ready = await fetch(`http://127.0.0.1:${first.port}/readyz`);
  expect(ready.status).toBe(200);
  expect(await ready.json()).toMatchObject({
    status: 'ready',
    parked: [{ tenantId: TENANT, code: 'table_unsupported' }],
  });
  const metrics = await (await fetch(`http://127.0.0.1:${first.port}/metrics`)).text();
  expect(metrics).toContain(
    `spor_processor_tenant_parked{shard="${SHARD}",tenant="${TENANT}",code="table_unsupported"`,
  );
  expect(first.log()).toContain('a tenant is parked');
  const env = { LAKE_URL: `file:${bench.lakeDir}`, NATS_URL: bench.nats.url };
  const status = await runSpor(['status', '--tenant', TENANT, '--json'], { env });
  expect(status.code).toBe(1);
  expect(JSON.parse(status.stdout)).toMatchObject({
    parked: { tenantId: TENANT, code: 'table_unsupported' },
    foreign: [{ operation: 'SET TBLPROPERTIES' }, { operation: 'DELETE' }],
  });

  // A new owner reads from the position that stood still: it parks the tenant again, and doubles nothing of the others.
  await first.kill('SIGKILL');
  const second = await bench.processor();
  await publish(NEIGHBOUR);
  await until(async () => (await count(NEIGHBOUR)) === 4);
  expect(await ids(NEIGHBOUR)).toBe(4);

  const history = await runSpor(['table', 'history', '--tenant', TENANT, '--foreign'], { env });
  expect(history.code).toBe(1);
  expect(history.stdout).toMatch(/Apache-Spark\/4\.0\.1 Delta-Lake\/4\.0\.0, ann +yes +DELETE/);
  expect(history.stdout).toContain(`npx spor table restore --tenant ${TENANT} --version ${version}\n`);
  const restored = await runSpor(['table', 'restore', '--tenant', TENANT, '--version', String(version), '--json'], {
    env,
  });
  expect(restored).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(restored.stdout)).toMatchObject({
    returned: 1,
    undone: [{ version: version + 1 }, { version: version + 2 }],
  });

  await bench.settled();
  expect(await count(TENANT)).toBe(3);
  expect(await ids(TENANT)).toBe(3);
  expect(await count(NEIGHBOUR)).toBe(4);
  await until(
    async () => !('parked' in ((await (await fetch(`http://127.0.0.1:${second.port}/readyz`)).json()) as object)),
  );
});
