import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readUuidLines } from '../../../lake/flush/idLines.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-ids-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function read(text: string, lines: number): Promise<string | undefined> {
  const file = join(dir, randomBytes(4).toString('hex'));
  await writeFile(file, text);
  const ids = await readUuidLines(file, lines);
  return ids && Buffer.from(ids).toString('hex');
}

test('UUIDs are read as the bytes they stand for, in either case, however many', async () => {
  for (const count of [0, 1, 16_383, 16_384, 40_000]) {
    const ids = Array.from({ length: count }, (_, index) =>
      index % 3 === 0 ? randomUUID().toUpperCase() : randomUUID(),
    );
    const found = await read(ids.map((id) => `${id}\n`).join(''), count);
    expect(found).toBe(ids.join('').replaceAll('-', '').toLowerCase());
  }
});

test('whatever is no UUID as usually written is left to DuckDB', async () => {
  const good = `${randomUUID()}\n`;
  for (const line of [
    '\n', // no id at all
    `${randomUUID().slice(0, -1)}\n`,
    `{${randomUUID().slice(2)}}\n`,
    `${randomUUID().replace('-', '0')}\n`,
    `g${randomUUID().slice(1)}\n`,
    `${randomUUID().slice(0, -1)}ø`, // as long, in bytes
    `${randomUUID()}\r`,
  ]) {
    expect(await read(good + line + good, 3), JSON.stringify(line)).toBeUndefined();
  }
  expect(await read(good, 2)).toBeUndefined();
  expect(await read(good + good, 1)).toBeUndefined();
});
