import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AddFile } from '../../../lake/delta/actions.ts';
import { openFileCache } from '../../../lake/files/fileCache.ts';
import { openLakeQueries } from '../../../query/engine/open.ts';
import { openStorage } from '../../../lake/storage/open.ts';
import type { Storage } from '../../../lake/storage/storage.ts';
import { startS3 } from '../../../scripts/s3/s3Server.ts';
import { commitRows, REGISTRY } from '../../support/lakeFixture.ts';

const dir = await mkdtemp(join(tmpdir(), 'spor-test-cache-'));
const s3 = await startS3();
const why = 'unavailable' in s3 ? s3.unavailable : '';
const ROOT = 'events/tenant=t';
let storage: Storage;
let downloads: string[] = [];

beforeAll(async () => {
  if ('unavailable' in s3) return;
  storage = await openStorage(`s3://${s3.bucket}/cache`, s3.config);
  const download = storage.download.bind(storage);
  storage.download = (path, file) => {
    downloads.push(path);
    return download(path, file);
  };
});

afterAll(async () => {
  storage?.close();
  if (!('unavailable' in s3)) await s3.stop();
  await rm(dir, { recursive: true, force: true });
});

async function add(name: string, size: number): Promise<AddFile> {
  const path = `segment=web/date=2026-11-23/${name}`;
  await storage.putIfAbsent(`${ROOT}/${path}`, Buffer.alloc(size, name));
  return { path, size, partitionValues: {}, modificationTime: 0, dataChange: true };
}

async function cached(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.parentPath.includes('/files/'))
    .map((entry) => entry.name)
    .sort();
}

describe.skipIf(why !== '')(`cache of S3 files ${why}`, () => {
  test('fetches each file once, however many ask at once, and again only after it was evicted', async () => {
    const folder = join(dir, 'once');
    const cache = await openFileCache({ storage, folder, maxBytes: 10_000 });
    const files = await Promise.all(['a', 'b', 'c'].map((name) => add(name, 1_000)));
    downloads = [];
    const leases = await Promise.all(Array.from({ length: 6 }, () => cache.lease(ROOT, files)));
    expect(downloads.sort()).toEqual(files.map(({ path }) => `${ROOT}/${path}`));
    for (const { paths } of leases) {
      for (const { path } of files) {
        expect(paths.get(path)!.endsWith(`/${ROOT}/${path}`)).toBe(true);
        expect((await readFile(paths.get(path)!)).length).toBe(1_000);
      }
    }
    await Promise.all(leases.map((lease) => lease.release()));
    expect(await readdir(join(folder, (await readdir(folder))[0]!, 'leases'))).toEqual([]);
    const again = await (await openFileCache({ storage, folder, maxBytes: 10_000 })).lease(ROOT, files);
    expect(downloads).toHaveLength(3);
    await again.release();
  });

  test('keeps to its bytes, drops what was unused longest, and takes nothing from a query that runs', async () => {
    const folder = join(dir, 'bounded');
    const cache = await openFileCache({ storage, folder, maxBytes: 3_500 });
    const files = await Promise.all(['l1', 'l2', 'l3', 'l4'].map((name) => add(name, 1_000)));
    const [l1, l2, l3, l4] = files as [AddFile, AddFile, AddFile, AddFile];
    const first = await cache.lease(ROOT, [l1]);
    for (const file of [l2, l3]) await (await cache.lease(ROOT, [file])).release();
    const root = join(folder, (await readdir(folder))[0]!, 'files', ROOT);
    const age = async (file: AddFile, seconds: number): Promise<void> => {
      const time = new Date(Date.now() - seconds * 1000);
      await utimes(join(root, file.path), time, time);
    };
    await age(l1, 300);
    await age(l2, 200);
    await age(l3, 100);
    await (await cache.lease(ROOT, [l4])).release();
    expect(await cached(folder)).toEqual(['l2', 'l3', 'l4']);
    expect((await readFile(first.paths.get(l1.path)!)).length).toBe(1_000);
    await first.release();
    downloads = [];
    await (await cache.lease(ROOT, [l1])).release();
    expect(downloads).toEqual([`${ROOT}/${l1.path}`]);
    expect(await cached(folder)).toEqual(['l1', 'l3', 'l4']);
  });

  test('says what to do when the files do not fit, are gone, or are not what the log says', async () => {
    const cache = await openFileCache({ storage, folder: join(dir, 'refused'), maxBytes: 1_500 });
    const files = [await add('r1', 1_000), await add('r2', 1_000)];
    await expect(cache.lease(ROOT, files)).rejects.toMatchObject({
      code: 'tables_too_large',
      message: expect.stringContaining('LAKE_CACHE_MAX_BYTES') as string,
    });
    await expect(
      cache.lease(ROOT, [{ ...files[0]!, path: 'segment=web/date=2026-11-23/never' }]),
    ).rejects.toMatchObject({ code: 'table_corrupt' });
    await expect(cache.lease(ROOT, [{ ...files[0]!, size: 999 }])).rejects.toMatchObject({ code: 'table_corrupt' });
    const [lake] = await readdir(join(dir, 'refused'));
    for (const part of ['leases', 'filling', 'files']) {
      const left = await readdir(join(dir, 'refused', lake!, part), { recursive: true, withFileTypes: true });
      expect(left.filter((entry) => entry.isFile())).toEqual([]);
    }
  });

  test('clears away what dead processes left', async () => {
    const folder = join(dir, 'left');
    await openFileCache({ storage, folder, maxBytes: 1_000 });
    const root = join(folder, (await readdir(folder))[0]!);
    await mkdir(join(root, 'leases', '999999999-x'));
    await mkdir(join(root, 'leases', `${process.ppid}-alive`));
    await writeFile(join(root, 'filling', 'old'), 'x');
    await writeFile(join(root, 'filling', 'new'), 'x');
    const old = new Date(Date.now() - 2 * 3_600_000);
    await utimes(join(root, 'filling', 'old'), old, old);
    await openFileCache({ storage, folder, maxBytes: 1_000 });
    expect(await readdir(join(root, 'leases'))).toEqual([`${process.ppid}-alive`]);
    expect(await readdir(join(root, 'filling'))).toEqual(['new']);
  });

  test('SQL over a lake in S3: committed, fetched once, answered', async () => {
    if ('unavailable' in s3) return;
    const lakeUrl = `s3://${s3.bucket}/sql`;
    const lake = await openStorage(lakeUrl, s3.config);
    const rows = [
      { type: 'Search', event_id: 'e-1', event_time: '2026-11-23T10:00:00Z', phrase: 'shoes' },
      { type: 'OrderCreated', event_id: 'e-2', event_time: '2026-11-23T10:00:00Z', order_id: 'o', total: '9.9900' },
    ];
    await commitRows(lake, 'shop', rows);
    await commitRows(lake, 'shop', [{ ...rows[0], event_id: 'e-3' }], { segment: 'app', date: '2026-11-24' });
    const { queries } = await openLakeQueries(
      {
        ...s3.config,
        lakeUrl,
        workDir: join(dir, 'sql'),
        cacheMaxBytes: 10_000_000,
        queryMemoryMb: 256,
        queryThreads: 1,
        queryTimeoutMs: 10_000,
        queryMaxRows: 100,
        queryMaxBytes: 1_000_000,
      },
      REGISTRY,
    );
    const run = async (sql: string): Promise<unknown> =>
      (await queries.run({ tenantId: 'shop', segmentIds: [], sql })).rows;
    expect(await run('select event_id, segment, date from events order by 1')).toEqual([
      ['e-1', 'web', '2026-11-23'],
      ['e-2', 'web', '2026-11-23'],
      ['e-3', 'app', '2026-11-24'],
    ]);
    expect(await run('select total from orders')).toEqual([['9.9900']]);
    const files = (await readdir(join(dir, 'sql'), { recursive: true })).filter((path) => path.endsWith('.parquet'));
    expect(files).toHaveLength(2);
    expect((await stat(join(dir, 'sql', files[0]!))).size).toBeGreaterThan(0);
    await queries.close();
    lake.close();
  });
});
