import { afterAll, beforeAll, expect, test } from 'vitest';
import { lakeFolderFiles } from '../../../lake/files/localFiles.ts';
import { createTableCache } from '../../../lake/layout/tableCache.ts';
import type { Storage } from '../../../lake/storage/storage.ts';
import { createAudit, type Audit } from '../../../query/audit/audit.ts';
import { ErasedPositions } from '../../../query/audit/erasedPositions.ts';
import { ERASURES_ID } from '../../../lake/delta/guards.ts';
import { formatReceipt, streamEpoch } from '../../../schemas/receipt.ts';
import { shardOf, streamName } from '../../../schemas/subjects.ts';
import { createRegistry } from '../../../schemas/registry.ts';
import { anEvent, messageOf, SHARDS } from '../../support/messages.ts';
import { startTestPipeline, type TestPipeline } from '../../support/testPipeline.ts';

const TENANT = 'shop';
const SHARD = shardOf(TENANT, SHARDS);
const ROOT = `events/tenant=${TENANT}`;
const ALL = { tenantId: TENANT, segmentIds: [] };
/** Flushes of a stream that was recreated since, and of this one. */
const [OLD, NEW] = [150, 250];
/** Most reads of one question: a binary search, and the message's own files. */
const MOST_READS = 24;

let bench: TestPipeline;
let audit: Audit;
let storage: Storage;
let appId: string;
let reads: string[] = [];
const receipts: string[] = [];

beforeAll(async () => {
  bench = await startTestPipeline();
  const { created } = await bench.manager.streams.info(streamName(SHARD));
  const event = anEvent(0);
  for (let sent = 0; sent < 3; sent++) {
    const sequence = await bench.publish(messageOf(TENANT, 'web', [{ events: [event] }]));
    receipts.push(formatReceipt({ epoch: streamEpoch(created), shard: SHARD, sequence, batch: 0 }));
  }
  // The stream holds what the log below tells of.
  const others = Array.from({ length: NEW - 3 }, (_, index) =>
    bench.publish(messageOf(TENANT, 'web', [{ events: [anEvent(index)] }])),
  );
  await Promise.all(others);
  appId = `${streamName(SHARD)}@${created}`;
  await writeLog();
  storage = countingReads(bench.storage);
  const tables = createTableCache(storage, createRegistry());
  audit = createAudit({
    storage,
    tables,
    localFiles: lakeFolderFiles(bench.storage),
    connection: () => bench.connection,
    mostReads: 150,
  });
  for (const name of ['events', 'quarantine'] as const) await tables(name, TENANT).snapshot();
});
afterAll(async () => {
  await audit?.close();
  await bench?.stop();
});

function countingReads(counted: Storage): Storage {
  return {
    url: counted.url,
    get: (path) => {
      reads.push(path);
      return counted.get(path);
    },
    has: (path) => {
      reads.push(path);
      return counted.has(path);
    },
    now: () => counted.now(),
    putIfAbsent: (path, body) => counted.putIfAbsent(path, body),
    upload: (path, localFile) => counted.upload(path, localFile),
    download: (path, localFile) => counted.download(path, localFile),
    list: (prefix, startAfter) => counted.list(prefix, startAfter),
    folders: (prefix) => counted.folders(prefix),
    delete: (paths) => counted.delete(paths),
    localPath: (path) => counted.localPath(path),
    close: () => undefined,
  };
}

/** A long log whose second message is a resend, whose third is erased, and hundreds of flushes around them. */
async function writeLog(): Promise<void> {
  const table = bench.table('events', TENANT);
  const days = { '2026-11-23': { accepted: 1 } };
  const flush = async (app: string, sequence: number, more: object = {}): Promise<void> => {
    const txn = { appId: app, version: sequence, expected: sequence === 1 ? undefined : sequence - 1 };
    await table.append({ files: [], txn, info: { days, firstSequence: sequence, lastSequence: sequence, ...more } });
  };
  for (let sequence = 1; sequence <= OLD; sequence++)
    await flush(`${streamName(SHARD)}@2020-01-01T00:00:00Z`, sequence);
  for (let sequence = 1; sequence <= NEW; sequence++)
    await flush(appId, sequence, sequence === 2 ? { duplicates: { [receipts[1]!]: '0' } } : {});
}

async function asked(receipt: string) {
  reads = [];
  const { states } = await audit.receipt(receipt, ALL);
  return { states, reads: reads.length };
}

test('a resend is found by a few reads of a long log', async () => {
  const { states, reads: count } = await asked(receipts[1]!);
  expect(states).toEqual({ duplicate: 1 });
  expect(count).toBeLessThan(MOST_READS);
});

test('so is an event that is missing, while the tenant has erased nobody', async () => {
  const { states, reads: count } = await asked(receipts[2]!);
  expect(states).toEqual({ missing: 1 });
  expect(count).toBeLessThan(MOST_READS);
});

test('after an erasure the log is read once, in bounded parts', async () => {
  const table = bench.table('events', TENANT);
  await table.raise({ id: ERASURES_ID, version: 1, info: {} });
  const txn = { appId: 'erasure', version: 1, expected: undefined };
  await table.append({ files: [], txn, info: { days: {}, erased: { [receipts[2]!]: '0' } } });
  const codes: string[] = [];
  for (let question = 0; question < 3; question++) {
    reads = [];
    codes.push(
      await audit.receipt(receipts[2]!, ALL).then(
        ({ states }) => JSON.stringify(states),
        (error: { code: string }) => error.code,
      ),
    );
    expect(reads.length).toBeLessThan(150 + MOST_READS);
  }
  expect(codes).toEqual(['receipt_reading', 'receipt_reading', '{"erased":1}']);
  expect((await asked(receipts[2]!)).reads).toBeLessThan(MOST_READS);
});

test('erased positions are those of every fold and entry, read once', async () => {
  const erasures = new ErasedPositions({ storage, mostReads: Infinity });
  const { version } = await bench.table('events', TENANT).snapshot();
  expect(await erasures.of(ROOT, receipts[2]!, version)).toEqual([0]);
  reads = [];
  expect(await erasures.of(ROOT, receipts[0]!, version)).toEqual([]);
  expect(reads).toEqual([]);
});
