import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deltaTable } from '../../lake/delta/table.ts';
import { openDuckdb } from '../../lake/duckdb/duckdb.ts';
import type { SqlSession } from '../../lake/duckdb/sqlEngine.ts';
import { literal } from '../../lake/duckdb/sqlText.ts';
import { vacuum } from '../../lake/maintenance/vacuum.ts';
import type { RejectedEvent } from '../../schemas/envelope.ts';
import { formatReceipt, streamEpoch } from '../../schemas/receipt.ts';
import { shardOf, streamName } from '../../schemas/subjects.ts';
import { filesWith } from '../support/filesWith.ts';
import { runSpor } from '../support/runScript.ts';
import { anEvent, messageOf, SHARDS, type TestEvent } from '../support/messages.ts';
import { startTestPipeline, type TestPipeline } from '../support/testPipeline.ts';
import { utcDay } from '../../runtime/units.ts';

let bench: TestPipeline;
const engine = openDuckdb({ memory: '512MiB', threads: 1, spillDir: '' });
let session: SqlSession;
beforeAll(async () => {
  bench = await startTestPipeline();
  session = engine.session();
});
afterAll(async () => {
  await session.close();
  await engine.close();
  await bench.stop();
});

const TENANT = 'tenant-a';
const PERSON = { userId: 'customer-4711-x', anonymousId: 'visitor-of-4711', consent: { personalization: true } };
const OTHER = { userId: 'customer-4711', anonymousId: 'visitor-1' };
/** On a shared device. */
const SPOUSE = { userId: 'customer-99', anonymousId: PERSON.anonymousId };

function refused(index: number, event: Record<string, unknown>): RejectedEvent {
  return { index, code: 'required', path: '/phrase', message: 'missing', raw: JSON.stringify(event) };
}

/** Publishes a batch; the sequence of its message. */
function publish(events: TestEvent[], rejected: RejectedEvent[] = []): Promise<number> {
  return bench.publish(messageOf(TENANT, 'web', [{ events, rejected }]));
}

/** The receipt of a batch. */
async function receiptOf(sequence: number): Promise<string> {
  const shard = shardOf(TENANT, SHARDS);
  const { created } = await bench.manager.streams.info(streamName(shard));
  return formatReceipt({ epoch: streamEpoch(created), shard, sequence, batch: 0 });
}

/** A table that something else made of the tenant's events. */
async function addMart(): Promise<void> {
  const root = `marts/tenant=${TENANT}/loyalty`;
  const file = join(bench.lakeDir, '..', 'mart.parquet');
  await session.run(
    `COPY (SELECT * FROM (VALUES ('${PERSON.userId}', 'SKU-1', 3), ('${OTHER.userId}', 'SKU-2', 1)) t(user_id, product_id, n))
     TO ${literal(file)} (FORMAT parquet)`,
  );
  await bench.storage.upload(`${root}/part-0.parquet`, file);
  const text = (name: string) => ({ name, type: 'string' as const });
  const columns = [text('user_id'), text('product_id'), { name: 'n', type: 'integer' as const }];
  const stats = { numRecords: 2, minValues: {}, maxValues: {}, nullCount: {} };
  await deltaTable(bench.storage, { root, columns, partitionColumns: [] }).append({
    files: [{ path: 'part-0.parquet', size: 1, rows: 2, partitionValues: {}, stats }],
    txn: { appId: 'marts', version: 1, expected: undefined },
    info: {},
  });
}

test('a person leaves every table beside flushes, stays out whatever comes late, and is gone from the disk after vacuum', async () => {
  const processor = await bench.processor({ MAINTENANCE: 'false' });
  const spor = (...args: string[]) =>
    runSpor(args, {
      env: { NATS_URL: bench.nats.url, LAKE_URL: `file:${bench.lakeDir}` },
      cwd: bench.lakeDir,
    });
  const kept: TestEvent[] = [];
  const round = async (from: number): Promise<number> => {
    const others = [anEvent(from, undefined, OTHER), anEvent(from + 1), anEvent(from + 2, undefined, SPOUSE)];
    kept.push(...others);
    const theirs = [
      anEvent(from, undefined, PERSON),
      anEvent(from + 1, undefined, { anonymousId: PERSON.anonymousId }),
      // Accepted, and set aside in the quarantine since no row can be made of it.
      { ...anEvent(from + 2, undefined, PERSON), timestamp: 'not a time' },
    ];
    return publish(
      [theirs[0]!, ...others, ...theirs.slice(1)],
      [
        refused(6, { type: 'Search', ...PERSON }),
        refused(7, { type: 'Search', ...OTHER }),
        refused(8, { userId: 4711 }),
      ],
    );
  };
  const rounds: number[] = [];
  for (let index = 0; index < 6; index++) {
    rounds.push(await round(10 * index));
    await bench.settled();
  }
  await addMart();
  await bench.table('events', TENANT).checkpoint();

  const dryRun = await spor('erase', '--tenant', TENANT, '--user', PERSON.userId, '--dry-run', '--json');
  expect(JSON.parse(dryRun.stdout)).toMatchObject({
    linkedIds: [PERSON.anonymousId],
    list: 0,
    tables: [{ erased: 6 }, { erased: 12 }, { root: `marts/tenant=${TENANT}/loyalty`, erased: 1 }],
  });

  let erasing = true;
  const load = (async () => {
    for (let index = 6; erasing; index++) {
      await round(10 * index);
      if (index % 10 === 0) await bench.settled();
    }
  })();
  const args = ['erase', '--tenant', TENANT, '--user', PERSON.userId, '--linked', '--by', 'the tests', '--json'];
  const finished = await spor(...args);
  erasing = false;
  await load;
  expect(finished.code, finished.stderr).toBe(0);
  const report = JSON.parse(finished.stdout) as { report: string; tables: { verified: { found: number } }[] };
  const founds = report.tables.map(({ verified }) => verified.found);
  expect(founds).toEqual(founds.map(() => 0));
  expect(await readFile(join(bench.lakeDir, report.report), 'utf8')).toContain('"by":"the tests"');
  rounds.push(await round(100_000));
  await bench.settled();

  const rows = await bench.rows('events', TENANT, 'event_id', 'event_id');
  expect(rows.map(({ event_id: id }) => id)).toEqual(kept.map(({ eventId }) => eventId).sort());
  const raws = await bench.rows('quarantine', TENANT, 'raw', 'raw');
  expect(raws.map(({ raw }) => String(raw)).filter((raw) => raw.includes(PERSON.userId))).toEqual([]);
  expect(raws).toHaveLength((2 * kept.length) / 3);
  expect(processor.child.exitCode).toBeNull();
  // Every accepted and every refused event is accounted for.
  const today = utcDay(Date.now());
  const reconciled = await spor('reconcile', '--tenant', TENANT, '--date', today, '--json');
  expect(reconciled.code, `${reconciled.stdout}${reconciled.stderr}`.slice(0, 2_000)).toBe(0);
  for (const sequence of [rounds[0]!, rounds.at(-1)!]) {
    const { stdout } = await spor('receipt', await receiptOf(sequence), '--tenant', TENANT, '--json');
    const { states } = JSON.parse(stdout) as { states: Record<string, number> };
    expect(states, stdout).toEqual({ committed: 3, erased: 4, quarantined: 2 });
  }

  // Again: nothing is left to do.
  const again = JSON.parse((await spor(...args)).stdout) as { list: number; tables: { erased: number }[] };
  expect([again.list, ...new Set(again.tables.map(({ erased }) => erased))]).toEqual([1, 0]);

  const now = Date.now() + 1_000;
  const mart = deltaTable(bench.storage, {
    root: `marts/tenant=${TENANT}/loyalty`,
    columns: [],
    partitionColumns: [],
  });
  for (const table of [bench.table('events', TENANT), bench.table('quarantine', TENANT), mart]) {
    await vacuum(bench.storage, table, { graceMs: 0, force: true, present: () => Promise.resolve(now) });
    await table.checkpoint();
  }
  const rest = await filesWith(session, bench.lakeDir, [PERSON.userId]);
  expect(rest.filter((file) => !file.includes('/marts/'))).toEqual([]);
  const [spouse] = await bench.rows('events', TENANT, 'count(*) AS n', '1');
  expect(Number(spouse!.n)).toBe(kept.length);
});

test('ids of one segment are erased there alone, stay out there alone, and shared ids have no segment', async () => {
  const tenant = 'two-shops';
  const person = { userId: 'customer-7001', anonymousId: 'visitor-of-7001', consent: { personalization: true } };
  const spor = (...args: string[]) =>
    runSpor(args, { env: { NATS_URL: bench.nats.url, LAKE_URL: `file:${bench.lakeDir}` }, cwd: bench.lakeDir });
  const processor = await bench.processor({ MAINTENANCE: 'false' });
  const send = async (from: number): Promise<void> => {
    for (const segment of ['dk', 'se']) {
      const events = [
        anEvent(from, undefined, person),
        anEvent(from + 1, undefined, { anonymousId: person.anonymousId }),
        { ...anEvent(from + 2, undefined, person), timestamp: 'not a time' },
        anEvent(from + 3),
      ];
      await bench.publish(messageOf(tenant, segment, [{ events, rejected: [refused(4, { ...person, type: 'x' })] }]));
    }
    await bench.settled();
  };
  const left = async (): Promise<unknown[]> => {
    const counts: unknown[] = [];
    for (const [table, condition] of [
      ['events', `user_id = '${person.userId}' OR anonymous_id = '${person.anonymousId}'`],
      ['quarantine', `contains(raw, '${person.userId}')`],
    ] as const) {
      const count = { dk: 0, se: 0 };
      const rows = await bench.rows(table, tenant, `segment_id, coalesce(${condition}, false) AS theirs`);
      for (const { segment_id: id, theirs } of rows) if (theirs === true) count[id as 'dk' | 'se']++;
      counts.push(count);
    }
    return counts;
  };
  await send(0);
  expect(await left()).toEqual([
    { dk: 2, se: 2 },
    { dk: 2, se: 2 },
  ]);
  const args = ['erase', '--tenant', tenant, '--user', person.userId, '--linked', '--json'];
  const wrong = await spor(...args, '--segment', 'no');
  expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('nothing was changed')]);
  const finished = await spor(...args, '--segment', 'dk');
  expect([finished.code, finished.stderr]).toEqual([0, '']);
  const report = JSON.parse(finished.stdout) as { segments: string[]; ids: unknown[]; tables: { erased: number }[] };
  expect(report).toMatchObject({
    segments: ['dk'],
    ids: [
      { kind: 'user', segment: 'dk' },
      { kind: 'linked', segment: 'dk' },
    ],
  });
  expect(report.tables.slice(0, 2)).toMatchObject([{ erased: 2 }, { erased: 2 }]);
  expect(await left()).toEqual([
    { dk: 0, se: 2 },
    { dk: 0, se: 2 },
  ]);
  await send(10);
  expect(await left(), 'what comes later').toEqual([
    { dk: 0, se: 4 },
    { dk: 0, se: 4 },
  ]);
  const reconciled = await spor('reconcile', '--tenant', tenant, '--date', utcDay(Date.now()), '--json');
  expect(reconciled.code, reconciled.stdout.slice(0, 2_000)).toBe(0);

  expect((await spor('ids', 'set', '--tenant', tenant, '--shared')).code).toBe(0);
  const shared = await spor(...args, '--segment', 'se');
  expect([shared.code, shared.stderr]).toEqual([2, expect.stringContaining('share their ids')]);
  const all = await spor(...args);
  expect([all.code, all.stderr]).toEqual([0, '']);
  await send(20);
  expect(await left()).toEqual([
    { dk: 0, se: 0 },
    { dk: 0, se: 0 },
  ]);
  expect(processor.child.exitCode).toBeNull();
});
