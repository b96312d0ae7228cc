import { mkdir, mkdtemp, readdir, rm, stat, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { LeaseFolders } from '../../../lake/files/leaseFolders.ts';
import { incarnation } from '../../../runtime/incarnation.ts';

const dir = await mkdtemp(join(tmpdir(), 'spor-test-leases-'));
afterAll(() => rm(dir, { recursive: true, force: true }));

const own = await incarnation();
const [, place, start] = own.split('-') as [string, string, string];
const ELSEWHERE = '0123456789ab';

async function withFolders(name: string, folders: readonly string[]): Promise<string> {
  const parent = join(dir, name);
  for (const folder of folders) await mkdir(join(parent, folder, 'events'), { recursive: true });
  return parent;
}

test('leases of dead processes are removed at the start, those of a predecessor with the same id too', async () => {
  const dead = [
    `${process.pid}-${place}-${Number(start) - 1}-predecessor`,
    `${process.pid}-predecessor-of-an-earlier-version`,
    `999999999-${place}-${start}-dead`,
    '999999999-dead',
  ];
  const alive = [
    `${process.ppid}-${place}-${start}-parent`,
    `${process.ppid}-parent`,
    `${process.pid}-${ELSEWHERE}-${Number(start) - 1}-in-another-container`,
    `999999999-${ELSEWHERE}-1-in-another-container`,
    `${own}-of-this-process`,
  ];
  const parent = await withFolders('start', [...dead, ...alive]);
  await LeaseFolders.open(parent);
  expect((await readdir(parent)).sort()).toEqual(alive.sort());
});

test('a lease of another container is removed once its time stands still, whatever that time is', async () => {
  const names = ['renewed', 'silent', 'silent-in-the-future', 'silent-long-ago'];
  const parent = await withFolders(
    'silent',
    names.map((name) => `1-${ELSEWHERE}-1-${name}`),
  );
  const setTime = (name: string, year: number): Promise<void> =>
    utimes(join(parent, `1-${ELSEWHERE}-1-${name}`), new Date(Date.UTC(year, 0)), new Date(Date.UTC(year, 0)));
  await setTime('silent-in-the-future', 2090);
  await setTime('silent-long-ago', 1999);
  const folders = await LeaseFolders.open(parent);
  const lease = await folders.take();
  for (let ms = 0; ms <= 25_000; ms += 5_000) {
    await setTime('renewed', 2000 + (ms % 7));
    await folders.beat(ms);
  }
  expect(await readdir(parent)).toHaveLength(5);
  await setTime('renewed', 2001);
  await folders.beat(30_000);
  await folders.beat(31_000);
  expect((await readdir(parent)).sort()).toEqual(
    [`1-${ELSEWHERE}-1-renewed`, lease.path.slice(parent.length + 1)].sort(),
  );
  await lease.release();
  expect(await readdir(parent)).toHaveLength(1);
});

test('a held lease is renewed, so that no other process removes it', async () => {
  const parent = await withFolders('held', []);
  const folders = await LeaseFolders.open(parent);
  const lease = await folders.take();
  await utimes(lease.path, new Date(0), new Date(0));
  await folders.beat();
  expect((await stat(lease.path)).mtimeMs).toBeGreaterThan(0);
  await lease.release();
});
