import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runSpor } from '../support/runScript.ts';
import { until } from '../support/until.ts';
import { anEvent, messageOf } from '../support/messages.ts';
import { startTestPipeline, type TestPipeline, type TestProcessor } from '../support/testPipeline.ts';

let bench: TestPipeline;
beforeAll(async () => (bench = await startTestPipeline()));
afterAll(() => bench.stop());

const YESTERDAY = new Date(Date.now() - 26 * 3_600_000);
const WINDOWS = 6;

/** Leaves a file for each of some windows of a day that is over, as a processor does that has no maintenance. */
async function fill(tenants: readonly string[]): Promise<void> {
  const processor = await bench.processor({ MAINTENANCE: 'false', WINDOW_MAX_MESSAGES: '1' });
  for (let window = 0; window < WINDOWS; window++) {
    for (const tenant of tenants) {
      const events = Array.from({ length: 5 }, (_, index) => anEvent(index, YESTERDAY));
      await bench.publish(messageOf(tenant, 'web', [{ events }]));
    }
    await bench.settled();
  }
  expect(await processor.kill('SIGTERM')).toEqual({ code: 0, signal: null });
}

async function filesOf(tenant: string): Promise<number> {
  return (await bench.table('events', tenant).snapshot()).files.size;
}

async function compactions({ port }: TestProcessor): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(/^spor_maintenance_compactions_total\{.*outcome="committed".*\} (\d+)$/m.exec(text)?.[1]);
}

test('merges by itself, also what a tenant left that does not send any more, and stops with the process', async () => {
  const tenants = ['tenant-a', 'tenant-b', 'tenant-c'];
  await fill(tenants);
  const before = await Promise.all(tenants.map((tenant) => bench.rows('events', tenant, 'event_id', 'event_id')));
  for (const tenant of tenants) expect(await filesOf(tenant)).toBe(WINDOWS);

  const processor = await bench.processor({ COMPACT_AFTER_SECONDS: '0', MAINTENANCE_SHARE_PERCENT: '100' });
  await until(async () => (await Promise.all(tenants.map(filesOf))).every((files) => files === 1));
  const after = await Promise.all(tenants.map((tenant) => bench.rows('events', tenant, 'event_id', 'event_id')));
  expect(after).toEqual(before);
  await until(async () => (await compactions(processor)) === 3);

  // Replaced files stay for who still reads them: a glob finds them too, the list of files does not.
  expect(await bench.globCount('events', 'tenant-a')).toBe(2 * WINDOWS * 5);
  const env = { LAKE_URL: `file:${bench.lakeDir}` };
  const listed = await runSpor(['files', '--tenant', 'tenant-a'], { env, cwd: bench.lakeDir });
  const paths = listed.stdout.trimEnd().split('\n');
  expect(await bench.rowsIn(paths)).toBe(WINDOWS * 5);
  const { files } = await bench.table('events', 'tenant-a').snapshot();
  expect(paths).toEqual([...files.keys()].map((path) => join(bench.lakeDir, 'events/tenant=tenant-a', path)));

  // Beside it, events go on arriving.
  await bench.publish(messageOf('tenant-a', 'web', [{ events: [anEvent(1)] }]));
  await bench.settled();
  expect(await bench.rows('events', 'tenant-a', 'event_id')).toHaveLength(WINDOWS * 5 + 1);
  expect(await processor.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  expect(processor.log()).not.toContain('"level":50');
});
