import { copyFile, readdir, rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { foldCountsBefore } from '../../../lake/counts/commits.ts';
import type { UsageCounts, UsageRow } from '../../../query/accounts/usage.ts';
import { createUsageTables, type UsageTables } from '../../../query/accounts/usageTable.ts';
import { type Audit } from '../../../query/audit/audit.ts';
import type { Reconciliation } from '../../../query/audit/reconcile.ts';
import { entryPath } from '../../../lake/delta/log.ts';
import { restoreTable } from '../../../lake/delta/restore.ts';
import { openDuckdb } from '../../../lake/duckdb/duckdb.ts';
import { lakeFolderFiles } from '../../../lake/files/localFiles.ts';
import { createTableCache } from '../../../lake/layout/tableCache.ts';
import { compactLake } from '../../../lake/maintenance/commands.ts';
import { expireBefore, undoExpiry } from '../../../lake/maintenance/expiry.ts';
import { createLog } from '../../../runtime/log.ts';
import { formatReceipt, streamEpoch } from '../../../schemas/receipt.ts';
import { createRegistry } from '../../../schemas/registry.ts';
import { shardOf, streamName } from '../../../schemas/subjects.ts';
import { anEvent, messageOf, SHARDS, uuid7, type TestPost } from '../../support/messages.ts';
import { startTestPipeline, type TestPipeline, type TestProcessor } from '../../support/testPipeline.ts';
import { runScript, runSpor } from '../../support/runScript.ts';
import { DAY_MS, utcDay } from '../../../runtime/units.ts';
import { createPipelineAudit } from './pipelineAudit.ts';

const dayOf = (time: Date): string => time.toISOString().slice(0, 10);

let bench: TestPipeline;
let accounts: Audit;
let processor: TestProcessor;

beforeAll(async () => {
  bench = await startTestPipeline();
  accounts = createPipelineAudit(bench);
  processor = await bench.processor();
});
afterAll(async () => {
  await accounts?.close();
  await bench?.stop();
});

const refusal = (index: number) => ({
  index,
  eventId: uuid7(),
  type: 'Search',
  schemaVersion: 1,
  code: 'field_missing',
  path: '/phrase',
  message: 'phrase is missing',
  raw: '{"type":"Search"}',
});

/** Publishes a message of some batches and waits until it is committed; the receipts. */
async function publish(tenantId: string, posts: TestPost[]): Promise<string[]> {
  const shard = shardOf(tenantId, SHARDS);
  const sequence = await bench.publish(messageOf(tenantId, 'web', posts));
  const epoch = streamEpoch((await bench.manager.streams.info(streamName(shard))).created);
  return posts.map((_, batch) => formatReceipt({ epoch, shard, sequence, batch }));
}

function events(count: number): ReturnType<typeof anEvent>[] {
  return Array.from({ length: count }, (_, index) => anEvent(index));
}

const today = dayOf(new Date());

async function reconcile(
  tenantId: string,
  from = dayOf(new Date(Date.now() - DAY_MS)),
  to = today,
): Promise<Reconciliation> {
  return accounts.reconcile(tenantId, { from, to });
}

/** What the command line says, and how it ends. */
async function spor(tenantId: string): Promise<{ code: number; found: Reconciliation }> {
  const env = { NATS_URL: bench.nats.url, LAKE_URL: `file:${bench.lakeDir}` };
  const days = ['--from', dayOf(new Date(Date.now() - DAY_MS)), '--to', today];
  const { code, stdout } = await runScript('cli/spor.ts', ['reconcile', '--tenant', tenantId, ...days, '--json'], {
    env,
  });
  return { code, found: JSON.parse(stdout) as Reconciliation };
}

test('all that can become of an event adds up, day by day of receipt, from the stream and from what commits say', async () => {
  const tenantId = 'adds-up';
  const yesterday = new Date(Date.now() - DAY_MS);
  const first = events(20);
  await publish(tenantId, [
    { events: first, rejected: [refusal(20), refusal(21)] },
    { events: [...events(5), { ...anEvent(0), timestamp: 'not a time' }], receivedAt: yesterday },
  ]);
  await publish(tenantId, [{ events: [], rejected: [refusal(0)] }]);
  const changed = { ...first[6]!, phrase: 'other content' };
  await publish(tenantId, [{ events: [...first.slice(0, 6), changed, anEvent(1)] }]);
  await bench.settled();
  await processor.kill('SIGSTOP');
  await publish(tenantId, [{ events: events(3), rejected: [refusal(3)] }]);
  const none = { erased: 0, expired: 0, difference: 0 };
  const expected = {
    balanced: true,
    faults: [],
    differences: [],
    days: [
      {
        date: dayOf(yesterday),
        accepted: 6,
        stored: 5,
        duplicate: 0,
        differing: 0,
        quarantined: 1,
        pending: 0,
        ...none,
        refused: { refused: 0, kept: 0, pending: 0, ...none },
      },
      {
        date: today,
        accepted: 31,
        stored: 21,
        duplicate: 7,
        differing: 1,
        quarantined: 0,
        pending: 3,
        ...none,
        refused: { refused: 4, kept: 3, pending: 1, ...none },
      },
    ],
  };
  const found = await reconcile(tenantId);
  expect(found).toMatchObject(expected);
  expect(found.days.map(({ fromStream }) => fromStream)).toEqual([6, 31]);

  await processor.kill('SIGCONT');
  await bench.settled();
  // Compacted, and trimmed to the last message: the commits stand for the others.
  const compaction = {
    storage: bench.storage,
    registry: createRegistry(),
    tenantIds: [tenantId],
    log: createLog('test', 'silent'),
  };
  await compactLake({
    ...compaction,
    workDir: join(bench.lakeDir, '..', 'compact'),
    memoryMb: 512,
    threads: 1,
    logRetentionMs: 3_600_000,
  });
  const stream = streamName(shardOf(tenantId, SHARDS));
  const { state } = await bench.manager.streams.info(stream);
  await bench.manager.streams.purge(stream, { seq: state.last_seq });
  const committed = {
    ...expected,
    days: [
      expected.days[0],
      { ...expected.days[1], stored: 24, pending: 0, refused: { refused: 4, kept: 4, pending: 0, ...none } },
    ],
  };
  const trimmed = await reconcile(tenantId);
  expect(trimmed).toMatchObject(committed);
  expect(trimmed.days.map(({ fromStream }) => fromStream)).toEqual([0, 3]);
  // And with the last one gone as well, of a stream that still holds others'.
  const shard = shardOf(tenantId, SHARDS);
  const neighbour = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].find((id) => shardOf(id, SHARDS) === shard)!;
  await publish(neighbour, [{ events: events(1) }]);
  await bench.settled();
  await bench.manager.streams.purge(stream, { filter: `*.${shard}.${tenantId}.*` });
  const gone = await reconcile(tenantId);
  expect(gone).toMatchObject(committed);
  expect(gone.days.map(({ fromStream }) => fromStream)).toEqual([0, 0]);
  // The days may be later than the entries: receivers' clocks were ahead of the store's.
  const log = join(bench.lakeDir, 'events', `tenant=${tenantId}`, '_delta_log');
  const earlier = new Date(Date.now() - 5 * DAY_MS);
  for (const name of await readdir(log)) await utimes(join(log, name), earlier, earlier);
  expect(await reconcile(tenantId)).toMatchObject(committed);
  // Even when the log entries of all commits are gone.
  const { version } = await bench.table('events', tenantId).snapshot();
  await foldCountsBefore(bench.storage, `events/tenant=${tenantId}`, version + 1);
  expect(await reconcile(tenantId)).toMatchObject(committed);
  expect(await spor(tenantId)).toMatchObject({ code: 0, found: { balanced: true } });

  // A month later retention takes the days away, and says so.
  const engine = openDuckdb({ memory: '256MiB', threads: 1, spillDir: '' });
  const workDir = join(bench.lakeDir, '..', 'expire');
  const options = { storage: bench.storage, engine, workDir, reason: 'retention of 30 days', undoable: true };
  const table = bench.table('events', tenantId);
  await expireBefore(table, utcDay(Date.now() + DAY_MS), options);
  await engine.close();
  const expired = await reconcile(tenantId);
  expect(expired).toMatchObject({
    balanced: true,
    days: [
      { stored: 0, expired: 5 },
      { stored: 0, expired: 24 },
    ],
  });
  // And an undo brings them back, counts included.
  expect((await undoExpiry(table, bench.storage)).gone).toEqual([]);
  expect(await reconcile(tenantId)).toMatchObject({ balanced: true, days: [{ expired: 0 }, { expired: 0 }] });
});

test('usage by month and segment has the sums of the reconciliation, however often and by whom it is written', async () => {
  const tenantId = 'used';
  const yesterday = new Date(Date.now() - DAY_MS);
  const send = async (segment: string, posts: TestPost[]): Promise<void> =>
    void (await bench.publish(messageOf(tenantId, segment, posts)));
  const first = events(8);
  await send('web', [
    { events: [...first, { ...anEvent(0), timestamp: 'not a time' }], rejected: [refusal(9)], bytes: 900 },
    { events: events(3), receivedAt: yesterday, bytes: 300 },
  ]);
  await send('app', [{ events: first.slice(0, 2), bytes: 200 }]);
  await send('app', [{ events: [], rejected: [refusal(0), refusal(1)], bytes: 50 }]);
  await bench.settled();
  const open = (): UsageTables =>
    createUsageTables({
      storage: bench.storage,
      tables: createTableCache(bench.storage, createRegistry()),
      localFiles: lakeFolderFiles(bench.storage),
    });
  const [one, other] = [open(), open()];
  const bySegment = async (): Promise<unknown> =>
    Object.fromEntries(
      [...Map.groupBy(await one.read(tenantId), ({ segment }) => segment)].map(([segment, rows]) => {
        const sum = (name: keyof UsageCounts): number => rows.reduce((total, row) => total + row[name], 0);
        return [segment, [sum('accepted'), sum('rejected'), sum('bytesReceived'), sum('queries')]];
      }),
    );
  const agrees = async (): Promise<void> => {
    const rows = await one.read(tenantId);
    const { days, balanced } = await reconcile(tenantId);
    const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
    expect(balanced).toBe(true);
    expect(sum(rows.map(({ accepted }) => accepted))).toBe(sum(days.map(({ accepted }) => accepted)));
    expect(sum(rows.map(({ rejected }) => rejected))).toBe(sum(days.map(({ refused }) => refused.refused)));
  };
  await agrees();
  expect(await bySegment()).toEqual({ web: [12, 1, 1200, 0], app: [2, 2, 250, 0] });

  // Two servers at once, over and over: each use and each event counts once.
  const use = { queries: 1, queryCpuSeconds: 0.25, queryRows: 10, querySeconds: 0.5 };
  const uses = new Map([[utcDay(Date.now()).slice(0, 7), use]]);
  await Promise.all([one.update(tenantId, uses), other.update(tenantId, uses)]);
  await send('web', [{ events: events(4), bytes: 400 }]);
  await bench.settled();
  await Promise.all([one.update(tenantId, uses), other.update(tenantId)]);
  await one.update(tenantId);
  expect(await bySegment()).toEqual({ web: [16, 1, 1600, 0], app: [2, 2, 250, 0], '': [0, 0, 0, 3] });
  await agrees();
  // And once the log of the events is cleaned, by a server that sees the table for the first time.
  const root = `events/tenant=${tenantId}`;
  const { version, files } = await bench.table('events', tenantId).snapshot();
  await send('app', [{ events: events(5), bytes: 500 }]);
  await bench.settled();
  await foldCountsBefore(bench.storage, root, version + 2);
  await other.update(tenantId);
  expect(await bySegment()).toEqual({ web: [16, 1, 1600, 0], app: [7, 2, 750, 0], '': [0, 0, 0, 3] });
  await agrees();

  const env = { LAKE_URL: `file:${bench.lakeDir}` };
  const { stdout } = await runSpor(['usage', '--tenant', tenantId, '--json'], { env });
  const { usage } = JSON.parse(stdout) as { usage: (UsageRow & { tenantId: string })[] };
  expect(usage).toEqual((await one.read(tenantId)).map((row) => ({ tenantId, ...row })));
  const held = usage.findLast(({ segment }) => segment === 'web')!.storageBytes;
  expect(held).toBe(
    [...files.values(), ...(await bench.table('quarantine', tenantId).snapshot()).files.values()]
      .filter(({ partitionValues }) => partitionValues.segment === 'web')
      .reduce((bytes, { size }) => bytes + size, 0),
  );
  expect((await runSpor(['usage', '--from', '11-2026'], { env })).code).toBe(2);
  await Promise.all([one.close(), other.close()]);
});

test('a row that goes, a row that comes twice and a file that is removed behind its back are found, by receipt', async () => {
  const tenantId = 'tampered';
  const [kept, shrunk] = await publish(tenantId, [{ events: events(4) }, { events: events(6) }]);
  await bench.settled();
  const [path] = [...(await bench.table('events', tenantId).snapshot()).files.keys()];
  const file = join(bench.lakeDir, 'events', `tenant=${tenantId}`, path!);
  expect((await reconcile(tenantId)).balanced).toBe(true);

  await rewrite(file, `SELECT * FROM whole WHERE NOT (receipt_id = '${shrunk}' AND receipt_index = 2)`);
  const less = await spor(tenantId);
  expect(less.code).toBe(1);
  expect(less.found).toMatchObject({
    balanced: false,
    differences: [{ date: today, receiptId: shrunk, kind: 'missing', table: 'events', events: 1 }],
    faults: [{ file: `events/tenant=${tenantId}/${path}`, fault: expect.stringContaining('the log says') }],
  });
  expect(less.found.days.at(-1)).toMatchObject({ accepted: 10, stored: 9, difference: 1 });

  // One too few and one too many: the sums agree, the receipts do not.
  await rewrite(
    file,
    `SELECT * FROM whole UNION ALL SELECT * FROM whole WHERE receipt_id = '${kept}' AND receipt_index = 3`,
  );
  const doubled = await reconcile(tenantId);
  expect(doubled.days.at(-1)).toMatchObject({ accepted: 10, stored: 10, difference: 0 });
  expect(doubled).toMatchObject({
    balanced: false,
    differences: [
      { receiptId: kept, kind: 'doubled', events: 1 },
      { receiptId: shrunk, kind: 'missing', events: 1 },
    ],
  });

  // Where the stream no longer knows the batches, their rows tell where one is missing.
  const stream = streamName(shardOf(tenantId, SHARDS));
  const { state } = await bench.manager.streams.info(stream);
  await bench.manager.streams.purge(stream, { seq: state.last_seq + 1 });
  const expired = await reconcile(tenantId);
  expect(expired.differences).toContainEqual(expect.objectContaining({ receiptId: kept, kind: 'doubled' }));
  expect(expired.differences).toContainEqual(
    expect.objectContaining({ kind: 'commit', events: 1, message: expect.stringContaining(shrunk!) }),
  );

  await rm(file);
  const gone = await reconcile(tenantId);
  expect(gone.balanced).toBe(false);
  expect(gone.faults).toEqual([{ file: `events/tenant=${tenantId}/${path}`, fault: 'is not in the store' }]);
  expect(gone.days.at(-1)).toMatchObject({ stored: 0, difference: 10 });
});

test('rows that another tool added or removed are named as foreign, and a restore balances the books', async () => {
  const tenantId = 'foreign-hands';
  const root = `events/tenant=${tenantId}`;
  const [first] = await publish(tenantId, [{ events: events(3) }]);
  await bench.settled();
  const [second] = await publish(tenantId, [{ events: events(2) }]);
  await bench.settled();
  const { version, files } = await bench.table('events', tenantId).snapshot();
  const [doubled, removed] = [...files.values()];
  const copy = doubled!.path.replace(/[^/]+$/, 'part-00000-copied.snappy.parquet');
  await copyFile(bench.storage.localPath(`${root}/${doubled!.path}`)!, bench.storage.localPath(`${root}/${copy}`)!);
  const commit = (at: number, operation: string, action: object): Promise<boolean> => {
    const info = { commitInfo: { timestamp: Date.now(), operation, engineInfo: 'delta-rs:1.6.6' } };
    const text = `${JSON.stringify(info)}\n${JSON.stringify(action)}\n`;
    return bench.storage.putIfAbsent(entryPath(root, at), Buffer.from(text));
  };
  await commit(version + 1, 'WRITE', { add: { ...doubled, path: copy, dataChange: true } });
  const remove = { path: removed!.path, deletionTimestamp: Date.now(), dataChange: true };
  await commit(version + 2, 'DELETE', { remove });

  const found = await reconcile(tenantId);
  expect(found).toMatchObject({
    balanced: false,
    foreign: [
      { version: version + 1, by: 'delta-rs:1.6.6', operation: 'WRITE', addedFiles: 1 },
      { version: version + 2, by: 'delta-rs:1.6.6', operation: 'DELETE', removedFiles: 1 },
    ],
    differences: [
      { receiptId: first, kind: 'foreign', message: expect.stringContaining('Seen as doubled') as string },
      { receiptId: second, kind: 'foreign', message: expect.stringContaining('Seen as missing') as string },
    ],
  });
  await restoreTable(bench.storage, root, { version, dryRun: false });
  expect(await reconcile(tenantId)).toMatchObject({ balanced: true, differences: [] });
});

/** Replaces a data file by what a query makes of it. */
async function rewrite(file: string, select: string): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  await connection.run("SET TimeZone = 'UTC'");
  await connection.run(`CREATE TABLE whole AS SELECT * FROM read_parquet('${file}', hive_partitioning = false)`);
  await rm(file);
  await connection.run(`COPY (${select}) TO '${file}' (FORMAT parquet)`);
  connection.closeSync();
  instance.closeSync();
}
