import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { GroupedSpool } from '../../../lake/window/groupedSpool.ts';

let dir: string;
let spools = 0;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-spool-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test('what gathers between two writes lies group by group, each in order, and every byte is there once', async () => {
  const piece = fc.record({
    group: fc.nat(5),
    // Around the size of a chunk, too.
    bytes: fc.oneof(fc.nat(200), fc.integer({ min: 32_700, max: 32_800 }), fc.nat(100_000)),
    drain: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 40 }), async (pieces) => {
      const noted: number[] = [];
      const spool = new GroupedSpool<number>(join(dir, String(spools++)), (note) => noted.push(note));
      const expected: number[] = [];
      let gathered: number[] = [];
      const write = (): void => {
        expected.push(...gathered.toSorted((a, b) => pieces[a]!.group - pieces[b]!.group || a - b));
        gathered = [];
      };
      for (const [index, { group, bytes, drain }] of pieces.entries()) {
        spool.reserve(bytes).fill(index + 1, 0, bytes);
        spool.append(group, bytes, index);
        gathered.push(index);
        if (!drain) continue;
        await spool.drain();
        write();
      }
      await spool.close();
      write();
      expect(noted).toEqual(expected);
      const content = expected.map((index) => Buffer.alloc(pieces[index]!.bytes, index + 1));
      expect((await readFile(spool.path)).equals(Buffer.concat(content))).toBe(true);
    }),
    { numRuns: 60 },
  );
});

test('with one group a megabyte is worth writing, with several the file waits for more', () => {
  const spool = new GroupedSpool<void>(join(dir, 'never'), () => undefined);
  const add = (group: number): void => {
    spool.reserve(1 << 20);
    spool.append(group, 1 << 20);
  };
  add(0);
  expect(spool.full).toBe(true);
  add(1);
  expect(spool.full).toBe(false);
  for (let megabytes = 2; megabytes < 128; megabytes++) add(megabytes % 7);
  expect(spool.full).toBe(true);
  // All spools count together, and what one has must be worth it.
  const other = new GroupedSpool<void>(join(dir, 'neither'), () => undefined);
  for (const group of [0, 1]) {
    other.reserve(1 << 20);
    other.append(group, 1 << 20);
  }
  expect(other.full).toBe(false);
});
