import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Engine } from '../../../lake/duckdb/engine.ts';
import { openDuckdb } from '../../../lake/duckdb/duckdb.ts';
import { createLog } from '../../../runtime/log.ts';
import { until } from '../../support/until.ts';
import { childrenOf } from '../../../scripts/stack/processes.ts';

const MEBIBYTE = 1_048_576;
const AUTOGROUP = '/proc/self/autogroup';
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-engine-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test.runIf(existsSync(AUTOGROUP))(
  'an engine that lets others go first does so in a session of its own too',
  async () => {
    const ours = readFileSync(AUTOGROUP, 'utf8');
    expect(await autogroupOf(10)).toMatch(/ nice 10\n$/);
    expect(await autogroupOf(0)).toBe(ours);
    expect(readFileSync(AUTOGROUP, 'utf8')).toBe(ours);
  },
);

/** The scheduling group of an engine's process: `/autogroup-31 nice 10`. */
async function autogroupOf(niceness: number): Promise<string> {
  const log = createLog('test', 'silent');
  const engine = new Engine({ dir: join(dir, `nice-${niceness}`), memory: '64MiB', threads: 1, niceness, log });
  const before = new Set(childrenOf(process.pid));
  try {
    await engine.start();
    const [pid] = childrenOf(process.pid).filter((child) => !before.has(child));
    return readFileSync(`/proc/${pid}/autogroup`, 'utf8');
  } finally {
    await engine.close();
  }
}

test('memory is kept once statements have used as much, is bounded, and is used from then on without more', async () => {
  const log = createLog('test', 'silent');
  const started = async (keepMemory: boolean): Promise<number> => {
    const engine = new Engine({ dir: join(dir, `kept-${keepMemory}`), memory: '512MiB', threads: 1, keepMemory, log });
    try {
      const session = engine.session();
      await session.run('SELECT 1');
      const atStart = engine.rssBytes;
      await session.run('CREATE OR REPLACE TEMP TABLE line AS SELECT range, range AS again FROM range(8000000)');
      await session.run('DROP TABLE line');
      const before = engine.rssBytes;
      for (let round = 0; round < 2 && keepMemory; round++) {
        // Of 30 MiB.
        await session.run('CREATE OR REPLACE TEMP TABLE line AS SELECT range, range AS again FROM range(2000000)');
        await session.run('DROP TABLE line');
        expect(engine.rssBytes - before).toBeLessThan(16 * MEBIBYTE);
      }
      return before - atStart;
    } finally {
      await engine.close();
    }
  };
  expect(await started(true)).toBeGreaterThan(100 * MEBIBYTE);
});

test('the process ends when it has been idle, and the next statement has another', async () => {
  const log = createLog('test', 'silent');
  const engine = new Engine({ dir: join(dir, 'idle'), memory: '64MiB', threads: 1, idleMs: 50, log });
  try {
    const session = engine.session();
    for (let round = 0; round < 2; round++) {
      // Longer than the time that counts as idle.
      const counted = await session.run('SELECT count(*)::INTEGER AS n FROM range(30000000) AS t(x) WHERE sqrt(x) > 3');
      expect(counted).toEqual([{ n: 29_999_990 }]);
      await until(() => engine.rssBytes === 0);
    }
    expect(engine.restarts).toBe(0);
  } finally {
    await engine.close();
  }
});

test('of statements that are sent together, those after one that fails are not run', async () => {
  const engine = new Engine({ dir: join(dir, 'all'), memory: '64MiB', threads: 1, log: createLog('test', 'silent') });
  try {
    const session = engine.session();
    expect(
      await session.runAll(['CREATE TEMP TABLE t AS SELECT 1 AS x', 'SELECT x FROM t', 'SELECT x + 1 AS y FROM t']),
    ).toEqual([[{ Count: '1' }], [{ x: 1 }], [{ y: 2 }]]);
    const failing = session.runAll(['SELECT nothing', 'INSERT INTO t VALUES (2)']);
    const after = session.run('SELECT count(*)::INTEGER AS n FROM t');
    await expect(failing).rejects.toMatchObject({ name: 'EngineError', fault: 'other' });
    expect(await after).toEqual([{ n: 1 }]);
  } finally {
    await engine.close();
  }
});

test('a text that begins with U+FEFF comes back whole', async () => {
  const engine = new Engine({ dir: join(dir, 'bom'), memory: '64MiB', threads: 1, log: createLog('test', 'silent') });
  try {
    expect(await engine.session().run("SELECT chr(65279) || 'a' AS x")).toEqual([{ x: '\uFEFFa' }]);
  } finally {
    await engine.close();
  }
});

test('an engine that could not be started is started by the next use', async () => {
  const folder = join(dir, 'taken');
  await writeFile(folder, 'a file where its folder is to be');
  const engine = new Engine({ dir: folder, memory: '64MiB', threads: 1, log: createLog('test', 'silent') });
  try {
    await expect(engine.start()).rejects.toThrow('ENOTDIR');
    await expect(engine.session().run('SELECT 1')).rejects.toThrow('ENOTDIR');
    await rm(folder);
    expect(await engine.session().run('SELECT 1 AS x')).toEqual([{ x: 1 }]);
  } finally {
    await engine.close();
  }
});

/** Statements of which the last fails in a way that leaves the database unusable. */
const FATAL = (name: string): string[] => [
  `ATTACH '${join(dir, name)}' AS doomed`,
  'CREATE TABLE doomed.t AS FROM range(10)',
  "SET debug_checkpoint_abort = 'before_header'",
  'CHECKPOINT doomed',
];

test('an engine whose database is lost by a fatal error is started anew', async () => {
  const log = createLog('test', 'silent');
  const engine = new Engine({ dir: join(dir, 'fatal'), memory: '64MiB', threads: 1, log });
  try {
    await expect(engine.session().runAll(FATAL('engine.db'))).rejects.toMatchObject({ fault: 'died' });
    const session = engine.session();
    expect(await session.run('SELECT count(*)::INT AS n FROM duckdb_databases() WHERE NOT internal')).toEqual([
      { n: 1 },
    ]);
    await until(() => engine.restarts === 1);
  } finally {
    await engine.close();
  }
});

test('so is DuckDB in this process', async () => {
  const engine = openDuckdb({ memory: '64MiB', threads: 1, spillDir: '' });
  const session = engine.session();
  const failed = (async () => {
    for (const sql of FATAL('here.db')) await session.run(sql);
  })();
  await expect(failed).rejects.toThrow('invalidated');
  await session.close();
  const next = engine.session();
  expect(await next.run('SELECT count(*)::INT AS n FROM duckdb_databases() WHERE NOT internal')).toEqual([{ n: 1 }]);
  await next.close();
  await engine.close();
});

test('a statement that would run for hours ends with its engine, when that is killed', async () => {
  const log = createLog('test', 'silent');
  const engine = new Engine({ dir: join(dir, 'killed'), memory: '64MiB', threads: 1, log });
  await engine.start();
  const endless = engine.session().run('SELECT sum(hash(i)) FROM range(1_000_000_000_000) AS numbers(i)');
  const failed = endless.catch((error: unknown) => error);
  await engine.kill();
  expect(await failed).toMatchObject({ fault: 'died' });
  await engine.close();
});
