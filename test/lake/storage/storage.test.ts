import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile, mkdir } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { LakeError } from '../../../lake/errors.ts';
import { openStorage } from '../../../lake/storage/open.ts';
import { probeStorage } from '../../../lake/storage/probe.ts';
import type { S3Config } from '../../../lake/storage/s3.ts';
import type { Storage } from '../../../lake/storage/storage.ts';
import { startS3 } from '../../../scripts/s3/s3Server.ts';
import { startLossyProxy } from './lossyProxy.ts';

const NO_S3: S3Config = {
  s3Endpoint: '',
  s3Region: 'us-east-1',
  s3ForcePathStyle: true,
  s3Checksums: 'WHEN_REQUIRED',
  s3TimeoutMs: 5_000,
  s3AccessKeyId: '',
  s3SecretAccessKey: '',
};

const dir = await mkdtemp(join(tmpdir(), 'spor-test-storage-'));
const s3 = await startS3();
const s3Why = 'unavailable' in s3 ? s3.unavailable : '';
const opened: Storage[] = [];

afterAll(async () => {
  for (const storage of opened) storage.close();
  if (!('unavailable' in s3)) await s3.stop();
  await rm(dir, { recursive: true, force: true });
});

let lakes = 0;

async function openLocal(): Promise<Storage> {
  return openStorage(`file:${join(dir, `lake-${lakes++}`)}`, NO_S3);
}

async function openS3(change: Partial<S3Config> = {}): Promise<Storage> {
  if ('unavailable' in s3) throw new Error(s3.unavailable);
  const storage = await openStorage(`s3://${s3.bucket}/lake-${lakes++}/x`, { ...s3.config, ...change });
  opened.push(storage);
  return storage;
}

const drivers = [
  { name: 'local folder', open: openLocal, skip: false },
  { name: `S3 ${s3Why}`, open: openS3, skip: s3Why !== '' },
];

const text = (value: string): Uint8Array => Buffer.from(value);

async function paths(storage: Storage, prefix: string, startAfter?: string): Promise<string[]> {
  const found: string[] = [];
  for await (const object of storage.list(prefix, startAfter)) found.push(object.path);
  return found;
}

async function folders(storage: Storage, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const folder of storage.folders(prefix)) found.push(folder);
  return found;
}

async function stagedFile(content: Uint8Array): Promise<string> {
  const file = join(dir, `staged-${lakes++}`);
  await writeFile(file, content);
  return file;
}

for (const driver of drivers) {
  describe.skipIf(driver.skip)(`storage contract: ${driver.name}`, () => {
    test('an object is created once, read whole, and never overwritten', async () => {
      const storage = await driver.open();
      expect(await storage.get('a/b/c.json')).toBeUndefined();
      expect(await storage.putIfAbsent('a/b/c.json', text('one'))).toBe(true);
      expect(await storage.putIfAbsent('a/b/c.json', text('two'))).toBe(false);
      expect(await storage.putIfAbsent('a/b/c.json', text('one'))).toBe(false);
      expect(Buffer.from((await storage.get('a/b/c.json'))!).toString()).toBe('one');
      expect(await storage.putIfAbsent('empty', text(''))).toBe(true);
      expect((await storage.get('empty'))!.byteLength).toBe(0);
    });

    test('says what exists, and tells the time by its own clock', async () => {
      const storage = await driver.open();
      expect(await storage.has('a/b/c.json')).toBe(false);
      await storage.putIfAbsent('a/b/c.json', text('one'));
      expect(await storage.has('a/b/c.json')).toBe(true);
      vi.useFakeTimers({ toFake: ['Date'], now: 0 });
      const before = await storage.now().finally(() => vi.useRealTimers());
      for await (const { path, modified } of storage.list('a/'))
        expect([path, Math.abs(modified.getTime() - before) < 120_000]).toEqual(['a/b/c.json', true]);
      expect(await storage.now()).toBeGreaterThanOrEqual(before);
      for await (const { path } of storage.list('_probe/')) throw new Error(`${path} was left`);
    });

    test('of 20 racing writers exactly one wins, and its content is there', async () => {
      const storage = await driver.open();
      for (let round = 0; round < 5; round++) {
        const path = `race/${round}.json`;
        const won = await Promise.all(
          Array.from({ length: 20 }, (_, i) => storage.putIfAbsent(path, text(`writer ${i}`))),
        );
        expect(won.filter(Boolean)).toHaveLength(1);
        expect(Buffer.from((await storage.get(path))!).toString()).toBe(`writer ${won.indexOf(true)}`);
      }
    });

    test('lists in byte order of whole paths, after a path, by prefix that may end within a name', async () => {
      const storage = await driver.open();
      const all = [
        'a-b/1',
        'a.b',
        'a/1',
        'a/b-c/2',
        'a/b/1',
        'a/b0',
        'a=1/x',
        'ab/0',
        'b',
        'A/z',
        '_log/00000000000000000002.json',
        '_log/00000000000000000010.json',
      ];
      for (const path of [...all].reverse()) await storage.putIfAbsent(path, text(path));
      const sorted = [...all].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(await paths(storage, '')).toEqual(sorted);
      expect(await paths(storage, 'a/')).toEqual(['a/1', 'a/b-c/2', 'a/b/1', 'a/b0']);
      expect(await paths(storage, 'a/b')).toEqual(['a/b-c/2', 'a/b/1', 'a/b0']);
      expect(await paths(storage, 'a')).toEqual(sorted.filter((path) => path.startsWith('a')));
      for (const after of [...sorted, 'a/b', 'a/', 'a0', 'zzz', '0']) {
        expect(await paths(storage, '', after)).toEqual(sorted.filter((path) => path > after));
      }
      expect(await paths(storage, '_log/', '_log/00000000000000000002.json')).toEqual([
        '_log/00000000000000000010.json',
      ]);
      expect(await paths(storage, 'nothing/here/')).toEqual([]);
      expect(await folders(storage, '')).toEqual(['A', '_log', 'a-b', 'a', 'a=1', 'ab']);
      expect(await folders(storage, 'a/')).toEqual(['b-c', 'b']);
      expect(await folders(storage, 'a=')).toEqual(['1']);
      expect(await folders(storage, 'nothing/')).toEqual([]);
      for await (const object of storage.list('a.b')) {
        expect(object.size).toBe(3);
        expect(Math.abs(object.modified.getTime() - Date.now())).toBeLessThan(60_000);
      }
    });

    test('lists more than one page of S3 holds', async () => {
      const storage = await driver.open();
      const all = Array.from({ length: 1_050 }, (_, i) => `many/${String(i).padStart(5, '0')}`);
      for (let at = 0; at < all.length; at += 50) {
        await Promise.all(all.slice(at, at + 50).map((path) => storage.putIfAbsent(path, text('x'))));
      }
      expect(await paths(storage, 'many/')).toEqual(all);
      expect(await paths(storage, 'many/', 'many/00020')).toEqual(all.slice(21));
      await storage.delete(all);
      expect(await paths(storage, 'many/')).toEqual([]);
    });

    test('deletes, and does not mind what is absent', async () => {
      const storage = await driver.open();
      await storage.putIfAbsent('d/1', text('x'));
      await storage.delete(['d/1', 'd/2', 'never/was']);
      await storage.delete([]);
      expect(await storage.get('d/1')).toBeUndefined();
      expect(await paths(storage, 'd/')).toEqual([]);
    });

    test('refuses paths that escape the lake or hold odd characters', async () => {
      const storage = await driver.open();
      const bad = [
        '',
        '/etc/passwd',
        '../x',
        'a/../../x',
        'a//b',
        './a',
        'a/.',
        'a/',
        'a\\b',
        'a\u0000b',
        'a b',
        'æ',
        'a*',
        'a?b',
        'a[1]',
      ];
      for (const path of bad) {
        const refused = { code: 'storage_path_invalid' };
        await expect(storage.get(path)).rejects.toMatchObject(refused);
        await expect(storage.putIfAbsent(path, text('x'))).rejects.toMatchObject(refused);
        await expect(storage.upload(path, join(dir, 'none'))).rejects.toBeInstanceOf(Error);
        await expect(storage.delete([path])).rejects.toMatchObject(refused);
      }
      for (const prefix of ['../', '/etc/', 'a/../']) {
        await expect(paths(storage, prefix)).rejects.toMatchObject({ code: 'storage_path_invalid' });
      }
    });

    test('a large file goes up, comes down equal, and is not overwritten', async () => {
      const storage = await driver.open();
      const content = randomBytes(24 * 1024 * 1024);
      const file = await stagedFile(content);
      await storage.upload('big/1.parquet', file);
      await storage.upload('big/1.parquet', file);
      const down = join(dir, `down-${lakes++}`);
      expect(await storage.download('big/1.parquet', down)).toBe(true);
      expect((await readFile(down)).equals(content)).toBe(true);
      await expect(storage.download('big/1.parquet', down)).rejects.toThrow();
      expect(await storage.download('big/2.parquet', join(dir, 'absent'))).toBe(false);
      expect(existsSync(join(dir, 'absent'))).toBe(false);

      const other = Buffer.from(content);
      other[content.length - 1]! ^= 1;
      await expect(storage.upload('big/1.parquet', await stagedFile(other))).rejects.toMatchObject({
        code: 'storage_object_exists',
      });
      await expect(storage.upload('big/1.parquet', await stagedFile(text('short')))).rejects.toMatchObject({
        code: 'storage_object_exists',
      });
      expect(Buffer.from((await storage.get('big/1.parquet'))!).equals(content)).toBe(true);
    });

    test('passes the probe and leaves nothing of it', async () => {
      const storage = await driver.open();
      await probeStorage(storage);
      expect(await paths(storage, '')).toEqual([]);
    });
  });
}

describe('probe', () => {
  /** A store as some real ones are: it looks, then writes. */
  async function overwriting(): Promise<Storage> {
    const storage = await openLocal();
    const objects = new Map<string, Uint8Array>();
    return Object.assign(Object.create(storage) as Storage, {
      url: 's3://sloppy',
      get: (path: string) => Promise.resolve(objects.get(path)),
      putIfAbsent: async (path: string, body: Uint8Array) => {
        const absent = !objects.has(path);
        await new Promise((resolve) => setImmediate(resolve));
        if (absent) objects.set(path, body);
        return absent;
      },
      delete: () => Promise.resolve(),
    });
  }

  test('refuses a store whose conditional create is not atomic, by name of the property', async () => {
    const refused = { code: 'storage_unfit', message: expect.stringContaining('s3://sloppy') as string };
    await expect(probeStorage(await overwriting())).rejects.toMatchObject(refused);
    await expect(probeStorage(await overwriting())).rejects.toThrow(/If-None-Match: \*\): 32 of 32/);
  });
});

describe('local folder', () => {
  test('a file on another file system is copied', async (context) => {
    const root = await mkdtemp('/dev/shm/spor-test-').catch(() => undefined);
    if (!root) return context.skip('/dev/shm is not there');
    try {
      const storage = await openLocal();
      await writeFile(join(root, 'f'), 'from afar');
      await storage.upload('x/y/f', join(root, 'f'));
      await storage.upload('x/y/f', join(root, 'f'));
      expect(Buffer.from((await storage.get('x/y/f'))!).toString()).toBe('from afar');
      expect(await paths(storage, '')).toEqual(['x/y/f']);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });

  test('what killed writers left is not listed, and is removed when a day old', async () => {
    const root = join(dir, `lake-${lakes++}`);
    const storage = await openStorage(`file:${root}`, NO_S3);
    await storage.putIfAbsent('a', text('x'));
    await writeFile(join(root, '.staging', 'old'), 'half');
    await writeFile(join(root, '.staging', 'new'), 'half');
    const longAgo = new Date(Date.now() - 25 * 3_600_000);
    await utimes(join(root, '.staging', 'old'), longAgo, longAgo);
    const again = await openStorage(`file:${root}`, NO_S3);
    expect(await paths(again, '')).toEqual(['a']);
    expect(await readdir(join(root, '.staging'))).toEqual(['new']);
  });

  test('a path under a file is absent, and a folder is no object', async () => {
    const storage = await openLocal();
    await storage.putIfAbsent('a', text('x'));
    expect(await storage.get('a/b')).toBeUndefined();
    await mkdir(join(storage.localPath('a')!, '..', 'folder'));
    expect(await paths(storage, '')).toEqual(['a']);
    expect((await stat(storage.localPath('a')!)).size).toBe(1);
  });
});

describe.skipIf(s3Why !== '')(`S3 faults ${s3Why}`, () => {
  test('a write whose answer was lost is recognised as its own', async () => {
    if ('unavailable' in s3) return;
    const proxy = await startLossyProxy(new URL(s3.config.s3Endpoint));
    try {
      const storage = await openS3({ s3Endpoint: proxy.url });
      proxy.loseAnswers(2);
      expect(await storage.putIfAbsent('lost/1', text('mine'))).toBe(true);
      expect(proxy.lost).toBe(2);
      expect(Buffer.from((await storage.get('lost/1'))!).toString()).toBe('mine');
      expect(await paths(storage, 'lost/')).toEqual(['lost/1']);

      expect(await storage.putIfAbsent('lost/2', text('theirs'))).toBe(true);
      proxy.loseAnswers(1);
      expect(await storage.putIfAbsent('lost/2', text('mine'))).toBe(false);
      expect(Buffer.from((await storage.get('lost/2'))!).toString()).toBe('theirs');

      const file = await stagedFile(randomBytes(10 * 1024 * 1024));
      proxy.loseAnswers(1);
      await storage.upload('lost/3', file);
      expect(Buffer.from((await storage.get('lost/3'))!).equals(await readFile(file))).toBe(true);

      proxy.loseAnswers(100);
      await expect(storage.putIfAbsent('lost/4', text('mine'))).rejects.toMatchObject({ code: 'storage_unavailable' });
    } finally {
      await proxy.stop();
    }
  });

  test('wrong credentials, a missing bucket and a dead endpoint each say what to do', async () => {
    if ('unavailable' in s3) return;
    const wrongKey = await openS3({ s3SecretAccessKey: 'wrong' });
    await expect(wrongKey.get('x')).rejects.toThrow(/AWS_SECRET_ACCESS_KEY/);
    const noBucket = await openStorage('s3://no-such-bucket/x', s3.config);
    opened.push(noBucket);
    await expect(noBucket.putIfAbsent('x', text('x'))).rejects.toThrow(/create it first/);
    await expect(noBucket.get('x')).rejects.toThrow(/create it first/);
    const dead = await openS3({ s3Endpoint: 'http://127.0.0.1:1', s3TimeoutMs: 500 });
    const error = await dead.get('x').catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(LakeError);
    expect(error).toMatchObject({ code: 'storage_unavailable', retryAfterSeconds: 2 });
  });
});

describe('openStorage', () => {
  test('refuses other URLs', async () => {
    for (const url of [
      '',
      'lake',
      'http://x/y',
      's3:bucket',
      's3://B_UCKET',
      's3://a/../../b',
      'file:',
      'file:/tmp/a[b]',
      'file:./x*',
    ]) {
      await expect(openStorage(url, NO_S3)).rejects.toThrow();
    }
  });
});
