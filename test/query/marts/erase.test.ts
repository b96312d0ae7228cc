import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDuckdb } from '../../../lake/duckdb/duckdb.ts';
import { erase } from '../../../lake/erasure/erase.ts';
import { ERASURE_STEPS } from '../../../lake/erasure/failpoint.ts';
import { compactLake, vacuumLake } from '../../../lake/maintenance/commands.ts';
import type { SqlSession } from '../../../lake/duckdb/sqlEngine.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import { openStorage } from '../../../lake/storage/open.ts';
import type { Storage } from '../../../lake/storage/storage.ts';
import { createLog } from '../../../runtime/log.ts';
import type { StoredEvent } from '../insight/eventTable.ts';
import { simulatedEvents, stored } from '../insight/ledger.ts';
import type { Row } from '../insight/rows.ts';
import { commitRows, REGISTRY } from '../../support/lakeFixture.ts';
import { filesWith } from '../../support/filesWith.ts';
import { startS3 } from '../../../scripts/s3/s3Server.ts';
import { otherEngines, type Engine } from '../../support/readers/engines.ts';
import { logFaults } from '../../support/readers/logRules.ts';
import { questionsAbout, type Question, type S3Access } from '../../support/readers/questions.ts';
import { martSpecs } from '../../../query/marts/mart.ts';
import { erasureOptions } from './erasureOptions.ts';
import { beforeUploads, commitEvents, martRows, refresh, TENANT } from './martLake.ts';

const CHILD = fileURLToPath(new URL('./eraseChild.ts', import.meta.url));
const LOG = createLog('test', 'silent');
const VACUUM = { registry: REGISTRY, tenantIds: [TENANT], log: LOG, graceMs: 0, force: true };
const s3 = await startS3();
const s3Why = 'unavailable' in s3 ? s3.unavailable : '';
const engines = await otherEngines();
const engine = openDuckdb({ memory: '512MiB', threads: 1, spillDir: '' });

/** Lakes that tests take copies of: with no marts, with marts that lack the newest events, and with all. */
type Base = 'without marts' | 'behind' | 'up to date';

let dir: string;
let session: SqlSession;
/** The one to erase. */
let user: string;
/** The person's ids that nobody else has. */
let ids: string[];
/** The marts of a lake that the person's events never came to. */
let expected: Record<string, Row[]>;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-erase-'));
  session = engine.session();
  const events = stored(simulatedEvents(11)).filter(({ json }) => {
    const { timestamp } = fieldsOf(json);
    return timestamp > '2026-11-02T20' && timestamp < '2026-11-03T04';
  });
  const storage = await openLocalStorage(join(dir, 'lake'));
  const base = (name: Base): Promise<void> => cp(join(dir, 'lake'), join(dir, name), { recursive: true });
  await commitEvents(
    storage,
    events.filter((_, index) => index % 2 === 0),
  );
  await base('without marts');
  await refresh(storage);
  await commitEvents(
    storage,
    events.filter((_, index) => index % 2 === 1),
  );
  await base('behind');
  await refresh(storage);
  await base('up to date');
  const { interactions } = await martRows(storage);
  const users = new Set(interactions!.map(({ user_id: id }) => id as string | null).filter((id) => id !== null));
  const told = [...users]
    .map((one) => ({ user: one, ...tellingOf(events, one) }))
    .find(({ ids: { length } }) => length > 1);
  if (!told) throw new Error('no user has a visitor of their own');
  ({ user, ids } = told);
  const clean = await openLocalStorage(join(dir, 'clean'));
  await commitEvents(clean, told.others);
  await refresh(clean);
  expected = await martRows(clean);
});
afterAll(async () => {
  await session.close();
  await engine.close();
  if (!('unavailable' in s3)) await s3.stop();
  await rm(dir, { recursive: true, force: true });
});

interface TestLake {
  folder: string;
  storage: Storage;
}

async function copyOf(base: Base): Promise<TestLake> {
  const folder = await mkdtemp(join(dir, 'copy-'));
  await cp(join(dir, base), folder, { recursive: true });
  return { folder, storage: await openLocalStorage(folder) };
}

async function eraseFrom(storage: Storage): ReturnType<typeof erase> {
  const workDir = await mkdtemp(join(dir, 'work-'));
  return erase(erasureOptions(storage, workDir, [user]));
}

async function compact(storage: Storage): Promise<string[]> {
  const limits = { memoryMb: 256, threads: 1, logRetentionMs: 86_400_000 };
  const workDir = await mkdtemp(join(dir, 'work-'));
  const reports = await compactLake({ storage, registry: REGISTRY, tenantIds: [TENANT], log: LOG, workDir, ...limits });
  return reports.flatMap(({ compacted }) => compacted.map(({ outcome }) => outcome));
}

/** Does something once, before the first upload to a folder. */
function meanwhile(
  through: Storage,
  folder: string,
  task: () => Promise<unknown>,
): { storage: Storage; done(): boolean } {
  let begun = false;
  const storage = beforeUploads(through, async (path) => {
    if (begun || !path.startsWith(folder)) return;
    begun = true;
    await task();
  });
  return { storage, done: () => begun };
}

/** The other people's events, and the ids of a user and linked visitors whose text is nowhere in them. */
function tellingOf(events: StoredEvent[], one: string): { others: StoredEvent[]; ids: string[] } {
  const linked = new Set(
    events.map(({ json }) => fieldsOf(json)).flatMap((event) => (event.userId === one ? [event.anonymousId] : [])),
  );
  const isTheirs = ({ json }: StoredEvent): boolean => {
    const { userId, anonymousId } = fieldsOf(json);
    return userId === one || (userId === undefined && linked.has(anonymousId));
  };
  const others = events.filter((event) => !isTheirs(event));
  return { others, ids: [one, ...linked].filter((id) => !others.some(({ json }) => json.includes(id))) };
}

/** Once vacuumed no file of the lake holds the person. */
async function expectGone({ folder, storage }: TestLake): Promise<void> {
  await vacuumLake({ storage, ...VACUUM });
  expect(await filesWith(session, folder, ids)).toEqual([]);
  expect(await faultsForOthers(folder)).toEqual([]);
}

/** What other engines would miss in the logs of the events and of each mart. */
async function faultsForOthers(folder: string): Promise<string[]> {
  const faults = await logFaults(folder, `events/tenant=${TENANT}`);
  for (const { root } of martSpecs(REGISTRY, TENANT)) {
    const made = await readdir(join(folder, root)).catch(() => undefined);
    if (made) faults.push(...(await logFaults(folder, root)));
  }
  return faults;
}

/** A refresh makes the marts of all others. */
async function expectTheOthers({ storage }: TestLake): Promise<void> {
  const outcomes = (await refresh(storage)).map(({ outcome }) => outcome);
  expect(outcomes).not.toContain('conflict');
  expect(await martRows(storage)).toEqual(expected);
}

test.each([
  ['without marts', 'consents_daily'],
  ['behind', 'interactions_daily'],
  ['behind', 'interactions'],
] as const)(
  'a refresh under way does not bring back who is erased: %s, at %s',
  async (base, mart) => {
    const lake = await copyOf(base);
    const refreshing = meanwhile(lake.storage, `marts/tenant=${TENANT}/${mart}/`, () => eraseFrom(lake.storage));
    const reports = await refresh(refreshing.storage);
    expect(refreshing.done()).toBe(true);
    expect(reports.find((report) => report.mart === mart)!.outcome).toBe('conflict');
    await expectGone(lake);
    if (mart === 'interactions_daily') await expectTheOthers(lake);
  },
  60_000,
);

test.each([...ERASURE_STEPS, 'after-upload:3'])(
  'killed at %s and repeated, all the same',
  async (step) => {
    const lake = await copyOf('up to date');
    const workDir = await mkdtemp(join(dir, 'work-'));
    const child = spawn(process.execPath, [CHILD, lake.folder, workDir, user, step], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
    const { report } = await eraseFrom(lake.storage);
    expect(report.tables.map(({ verified }) => verified.found)).toEqual(report.tables.map(() => 0));
    await expectGone(lake);
  },
  60_000,
);

test('a compaction of the same files loses against an erasure, or is read again', async () => {
  const first = await copyOf('up to date');
  const compacting = meanwhile(first.storage, 'events/', () => eraseFrom(first.storage));
  expect(await compact(compacting.storage)).toContain('abandoned');
  await expectGone(first);

  const second = await copyOf('up to date');
  let outcomes: string[] = [];
  const erasing = meanwhile(second.storage, 'events/', async () => (outcomes = await compact(second.storage)));
  await eraseFrom(erasing.storage);
  expect(outcomes).toContain('committed');
  await expectGone(second);
  await expectTheOthers(second);
});

test('a product with the id of who is erased stays in the marts', async () => {
  const { storage } = await copyOf('up to date');
  const { popularity } = await martRows(storage);
  const workDir = await mkdtemp(join(dir, 'work-'));
  await erase(erasureOptions(storage, workDir, [popularity![0]!.product_id as string]));
  expect((await martRows(storage)).popularity).toEqual(popularity);
});

test(`other engines answer as DuckDB does: fresh, compacted, erased and vacuumed ${engines.map(shown).join(', ')}`, async () => {
  const { folder, storage } = await copyOf('up to date');
  const late = { code: 'field_missing', received_at: '2026-11-03T10:00:00.123456Z', receipt_index: 3 };
  await commitRows(storage, TENANT, [late], { table: 'quarantine', date: '2026-11-03' });
  expect(await otherAnswers(folder)).toEqual([]);
  await compact(storage);
  await eraseFrom(storage);
  await refresh(storage);
  await vacuumLake({ storage, ...VACUUM });
  expect(await otherAnswers(folder)).toEqual([]);
}, 60_000);

/** Answers of other engines that differ, about the events, the quarantine and each mart. */
async function otherAnswers(folder: string, s3Access?: { bucket: string; access: S3Access }): Promise<string[]> {
  const marts = martSpecs(REGISTRY, TENANT).map(({ root }) => root);
  const roots = s3Access
    ? [`events/tenant=${TENANT}`, marts[0]!]
    : [`events/tenant=${TENANT}`, `quarantine/tenant=${TENANT}`, ...marts];
  const asked = await questionsAbout(folder, roots);
  expect(asked.length).toBeGreaterThan(roots.length);
  const questions = s3Access ? asked.slice(0, 6).map((question) => onS3(question, folder, s3Access)) : asked;
  const present = engines.filter(({ unavailable }) => unavailable === undefined);
  return (await Promise.all(present.map((engine) => engine.ask(questions)))).flat();
}

function onS3(question: Question, folder: string, { bucket, access }: { bucket: string; access: S3Access }): Question {
  return { ...question, table: question.table.replace(folder, `s3://${bucket}/erase`), s3: access };
}

function shown({ name, unavailable }: Engine): string {
  return unavailable === undefined ? name : `(${name}: ${unavailable})`;
}

test.skipIf(s3Why !== '')(
  `on S3 ${s3Why}`,
  async () => {
    if ('unavailable' in s3) return;
    const local = await copyOf('up to date');
    const storage = await openStorage(`s3://${s3.bucket}/erase`, s3.config);
    try {
      for await (const { path } of local.storage.list('')) await storage.upload(path, local.storage.localPath(path)!);
      await eraseFrom(storage);
      await vacuumLake({ storage, ...VACUUM });
      const folder = join(dir, 'from-s3');
      for await (const { path } of storage.list('')) {
        await mkdir(join(folder, dirname(path)), { recursive: true });
        await storage.download(path, join(folder, path));
      }
      expect(await filesWith(session, folder, ids)).toEqual([]);
      expect(await faultsForOthers(folder)).toEqual([]);
      const { s3Endpoint: endpoint, s3Region: region, s3AccessKeyId: id, s3SecretAccessKey: secret } = s3.config;
      const access = { endpoint, region, id, secret };
      expect(await otherAnswers(folder, { bucket: s3.bucket, access })).toEqual([]);
    } finally {
      storage.close();
    }
  },
  60_000,
);

function fieldsOf(json: string): { timestamp: string; anonymousId: string; userId?: string } {
  return JSON.parse(json) as { timestamp: string; anonymousId: string; userId?: string };
}
