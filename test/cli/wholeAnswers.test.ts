import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openLocalStorage } from '../../lake/storage/local.ts';
import { writeWhole } from '../../cli/wholeFile.ts';
import { commitRows } from '../support/lakeFixture.ts';
import { runSpor, type Finished } from '../support/runScript.ts';

const FORMATS = ['table', 'json', 'ndjson', 'csv', 'parquet', 'arrow'];
const FAILING = `select i, repeat('abc', 40) p, (case when i = 40000 then 'x' else '1' end)::int a from range(60000) t(i)`;

let dir: string;
let folder: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-whole-cli-'));
  const storage = await openLocalStorage(join(dir, 'lake'));
  await commitRows(storage, 'broken', [
    { type: 'Search', event_id: 'e-1', event_time: '2026-11-23T10:00:00Z', phrase: 'shoes' },
  ]);
  const files = await readdir(join(dir, 'lake'), { recursive: true });
  const [data = ''] = files.filter((path) => path.endsWith('.parquet'));
  await truncate(join(dir, 'lake', data), 100);
  await commitRows(storage, 'shop', [
    { type: 'Search', event_id: 'e-2', event_time: '2026-11-23T10:00:00Z', phrase: 'shoes' },
  ]);
});
beforeEach(async () => {
  folder = await mkdtemp(join(dir, 'out-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function spor(args: string[], env: Record<string, string> = {}): Promise<Finished> {
  return runSpor(args, {
    env: { LAKE_URL: `file:${join(dir, 'lake')}`, SPOR_CACHE_DIR: join(dir, 'cache'), ...env },
    cwd: folder,
  });
}

describe.each(FORMATS)('an answer as %s', (format) => {
  it('that fails after its first rows is exit code 1, the error, and nothing else', async () => {
    const asked = ['sql', '--tenant', 'shop', '--format', format];
    const printed = await spor([...asked, FAILING]);
    expect(printed).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('Conversion Error') });

    await writeFile(join(folder, 'kept'), 'of yesterday');
    expect(await spor([...asked, '--out', 'kept', FAILING])).toMatchObject({ code: 1, stdout: '' });
    expect(await readdir(folder)).toEqual(['kept']);
    expect(await readFile(join(folder, 'kept'), 'utf8')).toBe('of yesterday');
  });

  it('of a report that cannot read its data is exit code 1 and no file', async () => {
    const asked = ['report', 'search_overview', '--from', '2026-11-23', '--to', '2026-11-24', '--format', format];
    const failed = await spor([...asked, '--tenant', 'broken', '--out', 'new']);
    expect(failed).toMatchObject({ code: 1, stdout: '' });
    expect(await readdir(folder)).toEqual([]);
  });

  it('that a limit cuts says so on standard error', async () => {
    const asked = ['sql', '--tenant', 'shop', '--format', format, '--out', 'new', '--max-rows', '2500'];
    const cut = await spor([...asked, 'select i from range(3000) t(i)']);
    expect(cut).toMatchObject({ code: 0, stderr: expect.stringContaining('only the first 2500 rows') });
  });
});

describe('a file', () => {
  const broken = function* (): Generator<string> {
    yield 'half';
    throw new Error('the source broke');
  };

  it('whose contents break is not there, or as it was', async () => {
    await writeFile(join(folder, 'old'), 'old');
    for (const name of ['old', 'new'])
      await expect(writeWhole(join(folder, name), broken())).rejects.toThrow('the source broke');
    expect(await readdir(folder)).toEqual(['old']);
    expect(await readFile(join(folder, 'old'), 'utf8')).toBe('old');
    await writeWhole(join(folder, 'old'), ['n', 'ew']);
    expect(await readFile(join(folder, 'old'), 'utf8')).toBe('new');
  });

  it('that is a device is written as it is', async () => {
    await writeWhole('/dev/null', ['gone']);
    expect((await readdir('/dev')).filter((name) => name.includes('unfinished'))).toEqual([]);
  });
});
