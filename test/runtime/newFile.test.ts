import { pbkdf2 } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeNewFile } from '../../runtime/newFile.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-file-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function* broken(): Generator<string> {
  yield 'half';
  throw new Error('the source broke');
}

test('a file whose pieces break is not there, however late the disk is', async () => {
  for (let attempt = 0; attempt < 100; attempt++) {
    // The threads that open and remove files have other work.
    for (let thread = 0; thread < 3; thread++) pbkdf2('a', 'b', 2_000, 32, 'sha256', () => undefined);
    await expect(writeNewFile(join(dir, `broken-${attempt}`), broken())).rejects.toThrow('the source broke');
  }
  expect(await readdir(dir)).toEqual([]);
});

test('a file that is there is left as it is', async () => {
  const path = join(dir, 'old');
  await writeNewFile(path, ['o', 'ld']);
  await expect(writeNewFile(path, ['new'])).rejects.toThrow('EEXIST');
  expect(await readFile(path, 'utf8')).toBe('old');
});
