import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { chooseChunks } from '../../../query/engine/chunks.ts';
import { createScratchFiles, type HeldFile, type ScratchFiles } from '../../../query/engine/scratchFiles.ts';
import { until } from '../../support/until.ts';

const dir = await mkdtemp(join(tmpdir(), 'spor-test-scratch-'));
afterAll(() => rm(dir, { recursive: true, force: true }));

function hold(scratch: ScratchFiles, key: string, bytes = 10): Promise<HeldFile> {
  const path = scratch.newPath();
  return scratch.hold(key, path, async () => {
    await writeFile(path, new Uint8Array(bytes));
    return [[key]];
  });
}

test('a file is made once for all that ask at once, and the least recently used leave first', async () => {
  const scratch = createScratchFiles(dir, { totalBytes: 25, ageMs: 60_000 });
  const [a, again] = await Promise.all([hold(scratch, 'a'), hold(scratch, 'a')]);
  expect([again.path, again.facts]).toEqual([a.path, [['a']]]);
  const b = await hold(scratch, 'b');
  a.release();
  again.release();
  const c = await hold(scratch, 'c');
  b.release();
  await until(() => !scratch.has('a'));
  expect([scratch.has('b'), scratch.has('c')]).toEqual([true, true]);
  c.release();
  await until(() => !existsSync(a.path));
  scratch.close();
  await until(() => !existsSync(b.path) && !existsSync(c.path));
});

test('a file in use stays, even where it is too old; it is not given again', async () => {
  const scratch = createScratchFiles(dir, { totalBytes: 100, ageMs: 1 });
  const held = await hold(scratch, 'old');
  await until(() => !scratch.has('old'));
  expect(existsSync(held.path)).toBe(true);
  const next = await hold(scratch, 'old');
  expect(next.path).not.toBe(held.path);
  held.release();
  next.release();
  await until(() => !existsSync(held.path) && !existsSync(next.path));
});

test('chunks hold each wanted part once, and no part that may not be read', () => {
  const chunk = (...parts: string[]) => ({ key: parts.join(), parts });
  const readable = new Set(['a', 'b', 'c', 'd']);
  const choose = (wanted: string[], ...known: ReturnType<typeof chunk>[]) => {
    const { chunks, rest } = chooseChunks(known, { wanted, readable });
    return [chunks.map(({ key }) => key), rest];
  };
  expect(choose(['a', 'b', 'c'], chunk('a'), chunk('a', 'b'))).toEqual([['a,b'], ['c']]);
  expect(choose(['a'], chunk('a', 'gone'), chunk('d'))).toEqual([[], ['a']]);
  expect(choose(['a'], chunk('a', 'd'))).toEqual([['a,d'], []]);
  const many = Array.from({ length: 8 }, (_, index) => `p${index}`);
  expect(
    chooseChunks(
      many.map((part) => chunk(part)),
      { wanted: many, readable: new Set(many) },
    ),
  ).toEqual({ chunks: [], rest: many });
});
