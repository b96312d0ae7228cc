import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { openLocalStorage } from '../../../lake/storage/local.ts';

/** What the driver asks of the real file system, in order. */
const effects: string[] = [];

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return {
    ...real,
    open: async (...args: Parameters<typeof real.open>) => {
      const handle = await real.open(...args);
      const sync = handle.sync.bind(handle);
      const isFolder = (await handle.stat()).isDirectory();
      const name = isFolder ? `folder ${basename(String(args[0]))}` : 'file';
      handle.sync = async () => {
        await sync();
        effects.push(`sync ${name}`);
      };
      return handle;
    },
    link: async (...args: Parameters<typeof real.link>) => {
      await real.link(...args);
      effects.push('link');
    },
  };
});

const dir = await mkdtemp(join(tmpdir(), 'spor-test-durability-'));
afterAll(() => rm(dir, { recursive: true, force: true }));

test('bytes reach the disk before the name does, and the name before the caller is told', async () => {
  const storage = await openLocalStorage(join(dir, 'lake'));
  effects.length = 0;
  await storage.putIfAbsent('a/b/1.json', Buffer.from('x'));
  expect(effects).toEqual(['sync file', 'sync folder lake', 'sync folder a', 'link', 'sync folder b']);

  effects.length = 0;
  await storage.putIfAbsent('a/b/2.json', Buffer.from('x'));
  expect(effects).toEqual(['sync file', 'link', 'sync folder b']);

  effects.length = 0;
  await writeFile(join(dir, 'staged'), 'data');
  await storage.upload('a/c/3.parquet', join(dir, 'staged'));
  expect(effects).toEqual(['sync file', 'sync folder a', 'link', 'sync folder c']);

  effects.length = 0;
  await storage.delete(['a/b/1.json', 'a/b/2.json']);
  expect(effects).toEqual(['sync folder b']);
});

test('a folder that another process made is made durable before a name in it counts', async () => {
  const one = await openLocalStorage(join(dir, 'shared'));
  const two = await openLocalStorage(join(dir, 'shared'));
  await one.putIfAbsent('t/1', Buffer.from('x'));
  effects.length = 0;
  await two.putIfAbsent('t/2', Buffer.from('x'));
  expect(effects).toEqual(['sync file', 'sync folder shared', 'link', 'sync folder t']);
});
