import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readConfig } from '../../../runtime/config.ts';
import { createAudit, type Audit } from '../../../query/audit/audit.ts';
import { QUERY_SERVER_SETTINGS } from '../../../query/config.ts';
import { openLakeQueries } from '../../../query/engine/open.ts';
import { REGISTRY } from '../../support/lakeFixture.ts';
import { anEvent, messageOf } from '../../support/messages.ts';
import { startTestPipeline, type TestPipeline } from '../../support/testPipeline.ts';

const TENANT = 'shop';
const SQL = 'SELECT count(*) FROM events';

let bench: TestPipeline;
let lake: Awaited<ReturnType<typeof openLakeQueries>>;
let audit: Audit;
/** Log entries in the order they were read. */
const entriesRead: string[] = [];

beforeAll(async () => {
  bench = await startTestPipeline();
  const config = readConfig(QUERY_SERVER_SETTINGS, {
    LAKE_URL: `file:${bench.lakeDir}`,
    WORK_DIR: join(bench.lakeDir, '..', 'work-query'),
  });
  lake = await openLakeQueries(config, REGISTRY);
  const { storage } = lake;
  const get = storage.get.bind(storage);
  storage.get = (path) => {
    if (/\/_delta_log\/\d+\.json$/.test(path)) entriesRead.push(path);
    return get(path);
  };
  audit = createAudit({ ...lake, connection: () => bench.connection });
  await bench.processor();
});
afterAll(async () => {
  await audit?.close();
  await lake?.queries.close();
  await bench?.stop();
});

async function commit(events: number): Promise<void> {
  const batch = Array.from({ length: events }, (_, index) => anEvent(index));
  await bench.publish(messageOf(TENANT, 'web', [{ events: batch }]));
  await bench.settled();
}

async function count(): Promise<number> {
  const { rows } = await lake.queries.run({ tenantId: TENANT, segmentIds: [], sql: SQL });
  return Number(rows[0]![0]);
}

test('queries and the audit of a server read each entry of a table once, however many ask at once', async () => {
  await commit(2);
  expect(await count()).toBe(2);
  const first = [...entriesRead];
  expect(first.length).toBeGreaterThan(0);
  const completeness = await audit.completeness(TENANT);
  expect(completeness.waiting).toBeUndefined();
  expect(entriesRead).toEqual(first);

  await commit(3);
  const audits = [audit.completeness(TENANT), audit.completeness(TENANT)];
  expect(await Promise.all([count(), count(), count()])).toEqual([5, 5, 5]);
  for (const { waiting } of await Promise.all(audits)) expect(waiting).toBeUndefined();
  expect(entriesRead.length).toBeGreaterThan(first.length);
  expect(new Set(entriesRead).size).toBe(entriesRead.length);
});
