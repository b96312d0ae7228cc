import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openLocalStorage } from '../../lake/storage/local.ts';
import { commitRows } from '../support/lakeFixture.ts';
import { startNats, type TestNats } from '../support/nats.ts';
import { runSpor, type Finished } from '../support/runScript.ts';

let nats: TestNats;
let dir: string;

const DAY = ['--from', '2026-11-23', '--to', '2026-11-23'];

beforeAll(async () => {
  nats = await startNats();
  dir = await mkdtemp(join(tmpdir(), 'spor-test-strict-'));
  const search = { type: 'Search', event_time: '2026-11-23T10:00:00Z', received_at: '2026-11-23T10:00:00Z' };
  await commitRows(await openLocalStorage(join(dir, 'lake')), 'shop', [
    { ...search, event_id: 'e-1', user_id: 'customer-4711', anonymous_id: 'visitor-4711', receipt_id: 'a-0-1-0' },
    { ...search, event_id: 'e-2', user_id: 'customer-4712\r', anonymous_id: 'visitor-4712', receipt_id: 'a-0-1-0' },
    { ...search, event_id: 'e-3', user_id: 'customer-4713', anonymous_id: 'visitor-4713', receipt_id: 'a-0-1-0' },
  ]);
  const created = await spor('keys', 'create', '--tenant', 'keyed', '--segment', 'web');
  if (created.code !== 0) throw new Error(created.stderr);
});

afterAll(async () => {
  await nats?.stop();
  if (dir) await rm(dir, { recursive: true, force: true });
});

function spor(...args: string[]): Promise<Finished> {
  const env = { NATS_URL: nats.url, LAKE_URL: `file:${join(dir, 'lake')}`, SPOR_CACHE_DIR: join(dir, 'cache') };
  return runSpor(args, { env });
}

async function countOf(where: string): Promise<number> {
  const { stdout } = await spor('sql', '--tenant', 'shop', '--json', `select count(*) from events where ${where}`);
  return (JSON.parse(stdout) as { rows: number[][] }).rows[0]![0]!;
}

describe('an unknown tenant is named with exit code 1', () => {
  test.each([
    ['sql', 'select 1'],
    ['report', 'revenue'],
    ['attach', 'x.sql'],
    ['marts', 'refresh'],
    ['changes'],
    ['status'],
    ['quarantine', 'list'],
    ['quarantine', 'show'],
    ['quarantine', 'redrive', '--dry-run'],
    ['files'],
    ['receipt', 'a-0-1-0'],
    ['reconcile', '--date', '2026-11-23'],
    ['retention', 'show'],
    ['retention', 'set', '--days', '30'],
    ['replay', '--dry-run', ...DAY],
    ['replay', '--to-subject', 'shop.events', '--rate', '10', ...DAY],
    ['replay', 'undo'],
    ['erase', '--user', 'customer-4711'],
    ['erase', '--user', 'customer-4711', '--dry-run'],
    ['compact'],
    ['vacuum', '--dry-run'],
    ['keys', 'list'],
    ['tokens', 'list'],
  ])('%s %s', async (...command) => {
    const { code, stderr } = await spor(...command, '--tenant', 'shpo');
    expect([code, stderr]).toEqual([1, expect.stringContaining('there is no tenant shpo')]);
    expect(await readdir(join(dir, 'lake', 'events'))).toEqual(['tenant=shop']);
  });

  test('also where only the lake is named, and its server does not answer', async () => {
    const env = { LAKE_URL: `file:${join(dir, 'lake')}`, SPOR_CACHE_DIR: join(dir, 'cache') };
    const { code, stderr } = await runSpor(['files', '--tenant', 'shpo'], { env });
    expect([code, stderr]).toEqual([1, expect.stringContaining('there is no tenant shpo')]);
    const told = { ...env, NATS_URL: 'nats://127.0.0.1:1' };
    expect((await runSpor(['files', '--tenant', 'shpo'], { env: told })).code).toBe(69);
    expect((await runSpor(['files', '--tenant', 'shop'], { env: told })).code).toBe(0);
  });

  test.each([['sql', 'select count(*) from events'], ['files'], ['changes'], ['keys', 'list'], ['tokens', 'list']])(
    'one with a key that has sent nothing answers empty: %s',
    async (...command) => {
      const { code, stderr } = await spor(...command, '--tenant', 'keyed');
      expect([code, stderr.includes('there is no tenant')]).toEqual([0, false]);
    },
  );
});

describe('a value that means nothing is refused with exit code 2', () => {
  test.each([
    [['sql', '--tenant', 'shop', '--tenant', 'other', 'select 1'], '--tenant is given twice'],
    [['sql', '--tenant', 'shop', '--format', '', 'select 1'], '--format is empty'],
    [['sql', '--tenant', 'shop', '--json', '--format', 'csv', 'select 1'], '--json and --format csv'],
    [['sql', '--tenant', 'shop', '--from', '2026-11-23\r', 'select 1'], 'a carriage return (U+000D)'],
    [['sql', '--tenant', 'shop', '--from', '2026-02-31', 'select 1'], 'is not a date'],
    [['sql', '--tenant', 'shop', '--from', '2026-11-24', '--to', '2026-11-23', 'select 1'], 'is after --to'],
    [['sql', '--tenant', 'shop', '--timeout', '0s', 'select 1'], '--timeout 0s'],
    [['sql', '--tenant', 'shop\r', 'select 1'], 'a carriage return (U+000D)'],
    [['report', 'revenue', '--tenant', 'shop', '--from', '2026-02-31'], '2026-02-31'],
    [['report', 'search_phrases', '--tenant', 'shop', '--limit', '1e1'], 'limit'],
    [['attach', 'x.sql', '--tenant', 'shop', '--to', '2026-04-31'], 'is not a date'],
    [['files', '--tenant', 'shop', '--from', '2026-11-24', '--to', '2026-11-23'], 'is after --to'],
    [['quarantine', 'list', '--tenant', 'shop', '--from', '2026-02-31'], 'is not a date'],
    [['quarantine', 'list', '--tenant', 'shop', '--receipt', 'nonsense!'], 'is not a receipt'],
    [['quarantine', 'list', '--tenant', 'shop', '--code', 'field_missing '], 'a space (U+0020)'],
    [['reconcile', '--tenant', 'shop', '--date', '2026-02-31'], 'is not a date'],
    [
      ['replay', '--tenant', 'shop', ...DAY, '--to-subject', 'a.b', '--rate', '1', '--dry-run'],
      '--dry-run does not go',
    ],
    [['replay', '--tenant', 'shop', ...DAY, '--rate', '1'], '--rate goes with --to-subject'],
    [['replay', 'undo', '--tenant', 'shop', '--id', ''], '--id is empty'],
    [['compact', '--tenant', 'shop', '--all'], 'either --tenant or --all'],
    [['keys', 'create', '--tenant', 'a', '--segment', 'b', '--expires', '0d'], '--expires 0d'],
    [['erase', '--tenant', 'shop', '--user', 'customer-4711\r'], 'a carriage return (U+000D)'],
    [['erase', '--tenant', 'shop', '--user', ' customer-4711'], 'begins with a space'],
    [['erase', '--tenant', 'shop', '--anonymous', 'visitor-4711\u00a0'], 'a no-break space (U+00A0)'],
    [['erase', '--tenant', 'shop', '--user', '\ufeffcustomer-4711'], 'a byte order mark (U+FEFF)'],
    [['erase', '--tenant', 'shop', '--user', 'customer-4711', '--by', ''], '--by is empty'],
    [['erase', '--tenant', 'shop', '--anonymous', 'visitor-4711', '--linked'], '--linked goes with --user'],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await spor(...args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
  });
});

describe('spor erase', () => {
  const erase = (...args: string[]): Promise<Finished> => spor('erase', '--tenant', 'shop', ...args);
  const onList = async (): Promise<number> =>
    (await readdir(join(dir, 'lake', 'erasures', 'tenant=shop')).catch(() => [])).filter((name) => /^\d+\./.test(name))
      .length;

  test('changes nothing and fails where one of the ids is nowhere', async () => {
    for (const dryRun of [['--dry-run'], []]) {
      const { code, stderr } = await erase('--user', 'customer-4711', '--user', 'custmer-4713', ...dryRun);
      expect([code, stderr]).toEqual([1, expect.stringContaining('user "custmer-4713"')]);
      expect(stderr).not.toContain('customer-4711');
      expect([await countOf('true'), await onList()]).toEqual([3, 0]);
    }
    // An anonymous id is no user.
    expect((await erase('--user', 'visitor-4711')).code).toBe(1);
  });

  test('holds back an id that is nowhere yet where that is wanted, and repeats as a success', async () => {
    expect((await erase('--user', 'customer-5000', '--allow-missing')).code).toBe(0);
    expect(await onList()).toBe(1);
    expect((await erase('--user', 'customer-5000')).code).toBe(0);
    expect((await erase('--user', 'customer-5000', '--dry-run')).code).toBe(0);
  });

  test('erases who is there, and again as a success', async () => {
    for (let time = 0; time < 2; time++) {
      const { code, stderr } = await erase('--user', 'customer-4711', '--anonymous', 'visitor-4713');
      expect([code, stderr]).toEqual([0, '']);
      expect(await countOf('true')).toBe(1);
    }
  });

  test('erases an id that the events themselves have with a carriage return, asked for exactly', async () => {
    expect((await erase('--user', 'customer-4712\r', '--exact')).code).toBe(0);
    expect(await countOf('true')).toBe(0);
  });
});
