import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Duplicates, type IdsToJudge, type JudgedIds, type StoredIds } from '../../../lake/dedupe/duplicates.ts';
import { ID_WORDS, IdSet } from '../../../lake/dedupe/idSet.ts';
import { filesThatMayHold, idFile, type IdFile } from '../../../lake/dedupe/plan.ts';

const HOUR = 3_600_000;
const YEAR = 8_760 * HOUR;

test('the set keeps what it is given, exactly, forgets whole hours and takes back', () => {
  const set = new IdSet();
  const count = 50_000;
  const ids = new Uint32Array(randomBytes(count * 16).buffer.slice(0, count * 16));
  for (let id = 0; id < count; id++) expect(set.add(ids, id * ID_WORDS, 490_000 + (id % 3))).toBe(true);
  for (let id = 0; id < count; id++) if (set.add(ids, id * ID_WORDS, 490_003)) throw new Error(`${id} was added twice`);
  expect(set.bytes / count).toBeLessThan(51);
  const near = ids.slice(0, ID_WORDS);
  near[3]! ^= 1;
  expect(set.has(near, 0)).toBe(false);
  set.takeBack(ids, 0);
  expect(set.has(ids, 0)).toBe(false);
  expect(set.add(ids, 0, 490_002)).toBe(true);
  const before = set.bytes;
  set.forget(490_002);
  set.compact();
  for (let id = 1; id < count; id++) expect(set.has(ids, id * ID_WORDS)).toBe(id % 3 === 2);
  expect(set.has(ids, 0)).toBe(true);
  expect(set.bytes).toBeLessThan(before * 0.6);
});

const file = (over: Partial<IdFile>): IdFile => ({
  path: 'f',
  minId: '01900000-0000-7000-8000-000000000000',
  maxId: '01900000-ffff-7000-8000-000000000000',
  minReceivedMs: 0,
  maxReceivedMs: 1_000,
  storedThroughMs: 1_000,
  rows: 10,
  ...over,
});

test('a file is read only when an id lies in its bounds', () => {
  const inside = '01900000-8888-7000-8000-000000000000';
  const before = '018fffff-0000-7000-8000-000000000000';
  const after = '01900001-0000-7000-8000-000000000000';
  expect(filesThatMayHold([before, after], [file({})])).toEqual([]);
  expect(filesThatMayHold([before, inside, after], [file({})])).toHaveLength(1);
  expect(filesThatMayHold([after], [file({ minId: undefined, maxId: undefined })])).toHaveLength(1);
});

test('an id that was stored in capitals is found by its small letters', () => {
  const stored = 'AB000000-0000-4000-8000-000000000000';
  const bounds = [
    file({ minId: stored, maxId: stored }),
    file({ minId: '10000000-0000-4000-8000-000000000000', maxId: 'a0000000-0000-4000-8000-000000000000' }),
  ];
  expect(filesThatMayHold([stored.toLowerCase()], bounds)).toEqual(bounds);
});

test('no file is passed over that holds one of the ids in whatever letters', () => {
  const digit = fc.constantFrom('0', '1', '9', 'a', 'b', 'f', 'A', 'B', 'F');
  const text = fc.array(digit, { minLength: 4, maxLength: 4 }).map((digits) => digits.join(''));
  const small = fc.array(fc.constantFrom('0', '1', '9', 'a', 'b', 'f'), { minLength: 4, maxLength: 4 });
  const texts = fc.array(text, { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(texts, fc.array(small, { minLength: 1, maxLength: 6 }), (rows, wanted) => {
      const sorted = [...rows].sort();
      const ids = wanted.map((digits) => digits.join('')).sort();
      const holds = rows.some((row) => ids.includes(row.toLowerCase()));
      const found = filesThatMayHold(ids, [file({ minId: sorted[0], maxId: sorted.at(-1) })]);
      expect(holds && found.length === 0).toBe(false);
    }),
    { numRuns: 20_000 },
  );
});

test('ids of another time are in no file, also where their time is written with letters', () => {
  const bounds = [
    file({ minId: '01a20ec2-9221-7b9f-afcf-9680b1f9a478', maxId: '01a20ec2-9f21-763f-a213-ce7336d2ed4c' }),
    file({ minId: '01a20ebf-ff00-7b9f-afcf-9680b1f9a478', maxId: '01a20ec0-0021-763f-a213-ce7336d2ed4c' }),
  ];
  expect(filesThatMayHold(['01a20ec2-a000-7000-8000-000000000000'], bounds)).toEqual([]);
  expect(filesThatMayHold(['01a20ec2-9a00-7000-8000-000000000000'], bounds)).toEqual([bounds[0]]);
  expect(filesThatMayHold(['01a20ebf-ffff-7000-8000-000000000000'], bounds)).toEqual([bounds[1]]);
});

test('bounds come from the log; a missing one bounds nothing', () => {
  const stats = {
    numRecords: 3,
    minValues: { event_id: 'a', received_at: '1970-01-01T00:00:01.000Z' },
    maxValues: { event_id: 'b' },
  };
  expect(idFile({ path: 'p', stats: JSON.stringify(stats) })).toEqual({
    path: 'p',
    minId: 'a',
    maxId: 'b',
    minReceivedMs: 1_000,
    maxReceivedMs: Infinity,
    storedThroughMs: Infinity,
    rows: 3,
  });
  expect(idFile({ path: 'p' })).toMatchObject({
    minId: undefined,
    minReceivedMs: -Infinity,
    maxReceivedMs: Infinity,
    storedThroughMs: Infinity,
    rows: Infinity,
  });
  // The tag counts, else the commit or the last receipt, whichever is later.
  const through = (tags?: Record<string, string>, modificationTime = 5_000): number =>
    idFile({
      path: 'p',
      modificationTime,
      stats: JSON.stringify({ maxValues: { received_at: '1970-01-01T00:00:07.000Z' } }),
      ...(tags ? { tags } : {}),
    }).storedThroughMs;
  expect([through(), through(undefined, 9_000), through({ 'spor.storedThrough': '3000' })]).toEqual([
    7_000, 9_000, 3_000,
  ]);
});

/** A lake of id files that answers as the real one does, and counts what is asked of it. */
class IdLake implements StoredIds {
  readonly tenants = new Map<string, { file: IdFile; rows: string[] }[]>();
  reads = 0;
  added = 0;
  judged: string[] = [];

  commit(tenantId: string, rows: string[], storedThroughMs: number): void {
    if (rows.length === 0) return;
    const texts = rows.map(uuidText).sort();
    const path = `${tenantId}/${this.added++}`;
    const added = file({ path, minId: texts[0], maxId: texts.at(-1), storedThroughMs, rows: rows.length });
    this.tenants.set(tenantId, [...(this.tenants.get(tenantId) ?? []), { file: added, rows }]);
  }

  files(tenantId: string): Promise<IdFile[]> {
    return Promise.resolve((this.tenants.get(tenantId) ?? []).map((one) => one.file));
  }

  read(tenantId: string, files: readonly IdFile[]): Promise<string> {
    return Promise.resolve(this.#rows(tenantId, files).join(''));
  }

  find(tenantId: string, files: readonly IdFile[]): Promise<string> {
    const found = this.#rows(tenantId, files).filter((hex) => this.judged.includes(hex));
    return Promise.resolve(found.join(''));
  }

  #rows(tenantId: string, files: readonly IdFile[]): string[] {
    this.reads += files.length;
    const paths = new Set(files.map(({ path }) => path));
    const chosen = (this.tenants.get(tenantId) ?? []).filter((one) => paths.has(one.file.path));
    return chosen.flatMap(({ rows }) => rows);
  }
}

function uuidText(hex: string): string {
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

const idOf = (number: number): string =>
  (number * 0x9e3779b1).toString(16).padStart(12, '0') + number.toString(16).padStart(20, '0');

test('whatever is sent again, restarted, failed and stamped, an id within the window is stored once', async () => {
  const step = fc.record({
    ids: fc.array(fc.nat(40), { maxLength: 12 }),
    /** Content of the window's events; 0: unknown. */
    content: fc.constantFrom(1, 1, 2, 0),
    tenant: fc.constantFrom('t1', 't2'),
    hoursLater: fc.constantFrom(0, 0, 0, 1, 5),
    /** By how much the stream server's clock is off for this window. */
    stampOffMs: fc.constantFrom(0, 0, 0, 10 * YEAR, -10 * YEAR, 30 * HOUR),
    lateFirst: fc.boolean(),
    end: fc.constantFrom('commit', 'commit', 'commit', 'commit later', 'fail', 'restart'),
  });
  const run = async (
    steps: (typeof step extends fc.Arbitrary<infer T> ? T : never)[],
    maxBytes: number,
  ): Promise<void> => {
    const lake = new IdLake();
    const windowMs = 24 * HOUR;
    let duplicates = new Duplicates({ maxBytes, windowMs });
    // A backlog: this host's clock is right, and later than every message.
    let now = Date.now() - 30 * 5 * HOUR;
    let wrongInARow = 0;
    let first = true;
    /** Of a window that is judged, and committed once the next one is judged too. */
    let late: { judged: JudgedIds; tenant: string; kept: string[]; storedMs: number } | undefined;
    const commitLate = (): void => {
      if (!late) return;
      lake.commit(late.tenant, late.kept, late.storedMs);
      duplicates.commit(late.judged);
      late = undefined;
    };
    /** Content of each id that was stored first, by tenant and id. */
    const firstContent = new Map<string, number>();
    for (const { ids, content, tenant, hoursLater, stampOffMs, lateFirst, end } of steps) {
      now += hoursLater * HOUR;
      // The first window of an owner has nothing to compare with.
      const isWrong = stampOffMs !== 0 && !first && (stampOffMs < 0 || wrongInARow < 3);
      const stampMs = isWrong ? now + stampOffMs : now;
      const hexes = ids.map(idOf);
      lake.judged = hexes;
      const batch: IdsToJudge = {
        ids: Buffer.from(hexes.join(''), 'hex'),
        runs: [
          { tenantId: tenant, first: 0, count: hexes.length, contents: new Uint16Array(hexes.length).fill(content) },
        ],
        allUuids: true,
        storedMs: { min: stampMs },
      };
      duplicates.begin();
      const { duplicates: found, differing } = await duplicates.judge(batch, lake);
      const dropped = new Set(found);
      for (const index of differing) {
        expect(dropped.has(index)).toBe(true);
        expect(firstContent.get(`${tenant}/${hexes[index]}`)).not.toBe(content);
      }
      const kept = hexes.filter((_, index) => !dropped.has(index));
      if (lateFirst) commitLate();
      const judged = end === 'commit later' ? duplicates.judged() : undefined;
      commitLate();
      const stored = lake.tenants.get(tenant) ?? [];
      const young = stored.filter(({ file: { storedThroughMs } }) => storedThroughMs >= now - windowMs);
      const recent = new Set(young.flatMap(({ rows }) => rows));
      expect(new Set(kept).size, 'kept once').toBe(kept.length);
      expect(
        kept.filter((hex) => recent.has(hex)),
        'stored within the window',
      ).toEqual([]);
      // Beyond the window either is right; what was never stored must be kept.
      const ever = new Set(stored.flatMap(({ rows }) => rows));
      expect(new Set([...kept, ...ever])).toEqual(new Set([...hexes, ...ever]));
      if (end === 'fail') continue;
      first = false;
      wrongInARow = isWrong && stampOffMs > 0 ? wrongInARow + 1 : 0;
      if (judged) {
        late = { judged, tenant, kept, storedMs: now };
        for (const hex of kept) firstContent.set(`${tenant}/${hex}`, content);
        continue;
      }
      lake.commit(tenant, kept, now);
      for (const hex of kept) firstContent.set(`${tenant}/${hex}`, content);
      if (end === 'commit') duplicates.commit();
      else {
        duplicates = new Duplicates({ maxBytes, windowMs });
        first = true;
      }
    }
  };
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.constantFrom(0, 400_000, 100_000_000), run), {
    numRuns: 200,
  });
});

test('a resend with other content is told from one with the same, until memory is lost', async () => {
  const lake = new IdLake();
  const options = { maxBytes: 10_000_000, windowMs: 24 * HOUR, now: () => 0 };
  let duplicates = new Duplicates(options);
  const judge = async (contents: number[], commit = true): Promise<[number[], number[]]> => {
    const hexes = contents.map((_, index) => idOf(index % 2));
    lake.judged = hexes;
    duplicates.begin();
    const found = await duplicates.judge(
      {
        ids: Buffer.from(hexes.join(''), 'hex'),
        runs: [{ tenantId: 't', first: 0, count: hexes.length, contents: Uint16Array.from(contents) }],
        allUuids: true,
        storedMs: { min: 0 },
      },
      lake,
    );
    lake.commit(
      't',
      hexes.filter((_, index) => !found.duplicates.includes(index)),
      0,
    );
    if (commit) duplicates.commit();
    return [found.duplicates, found.differing];
  };
  expect(await judge([7, 8, 7, 9])).toEqual([[2, 3], [3]]);
  // The first one counts, and not a later one that was dropped.
  expect(await judge([8, 9])).toEqual([
    [0, 1],
    [0, 1],
  ]);
  expect(await judge([7, 8, 0])).toEqual([[0, 1, 2], []]);
  duplicates = new Duplicates(options);
  expect(await judge([5, 6]), 'after a takeover').toEqual([[0, 1], []]);
  expect(await judge([4])).toEqual([[0], []]);
});

test('after a takeover, ids that carry their time read the files of that time only, once', async () => {
  const lake = new IdLake();
  const time = (hour: number, index: number): string =>
    (0x019000000000 + hour * HOUR).toString(16).padStart(12, '0') + index.toString(16).padStart(20, '7');
  for (let hour = 0; hour < 20; hour++)
    lake.commit(
      't',
      Array.from({ length: 100 }, (_, index) => time(hour, index)),
      hour * HOUR,
    );
  const duplicates = new Duplicates({ maxBytes: 10_000_000, windowMs: 24 * HOUR });
  const judge = async (hex: string[]): Promise<number[]> => {
    const judged = await duplicates.judge(
      {
        ids: Buffer.from(hex.join(''), 'hex'),
        runs: [{ tenantId: 't', first: 0, count: hex.length }],
        allUuids: true,
        storedMs: { min: 20 * HOUR },
      },
      lake,
    );
    return judged.duplicates;
  };
  duplicates.begin();
  expect(await judge([time(20, 1), time(20, 2)])).toEqual([]);
  expect(lake.reads).toBe(0);
  expect(await judge([time(20, 3), time(7, 5), time(7, 500)])).toEqual([1]);
  expect(lake.reads).toBe(1);
  expect(await judge([time(7, 6)])).toEqual([0]);
  expect(lake.reads).toBe(1);
});

test('memory stays within its bound, however far apart the times of batches are', async () => {
  const maxBytes = 1_000_000;
  const now = 500_000;
  // A clock that was ahead once, then one that is right; one behind; clocks of any year, in any order.
  const ahead = [now + 42 * 24, now + 24 * 365, ...Array.from({ length: 40 }, (_, index) => now + index)];
  const behind = [now, now - 24 * 365 * 20, ...Array.from({ length: 40 }, (_, index) => now - 24 * 365 * 20 + index)];
  const wild = Array.from({ length: 60 }, (_, index) => now + ((index * 7_919_993) % 2_000_000) - 400_000);
  for (const hours of [ahead, behind, wild]) {
    let hour = 0;
    const duplicates = new Duplicates({ maxBytes, windowMs: 24 * HOUR, now: () => hour * HOUR });
    const lake = new IdLake();
    let next = 0;
    for (hour of hours) {
      const hexes = Array.from({ length: 4_000 }, () => (next++).toString(16).padStart(32, '0'));
      const storedMs = { min: hour * HOUR };
      const runs = [{ tenantId: 't', first: 0, count: hexes.length }];
      duplicates.begin();
      await duplicates.judge({ ids: Buffer.from(hexes.join(''), 'hex'), runs, allUuids: true, storedMs }, lake);
      duplicates.commit();
      expect(duplicates.bytes, `hour ${hour}`).toBeLessThanOrEqual(maxBytes);
    }
  }
});

test('the set forgets hours in any order, and has room for as many as there may be', () => {
  const set = new IdSet();
  const id = (number: number): Uint32Array => Uint32Array.from([number, 7, 7, 7]);
  const hours = [1e6, 3, 2e6, -5e5, 1e6 + 1];
  for (const [index, hour] of hours.entries()) expect(set.add(id(index), 0, hour)).toBe(true);
  set.forget(1e6);
  set.compact();
  expect(hours.map((_, index) => set.has(id(index), 0))).toEqual([true, false, true, false, true]);
  expect(set.add(id(9), 0, 5)).toBe(true); // an hour before those forgotten
  set.compact();
  expect(set.has(id(9), 0)).toBe(true);
  set.forget(2e6);
  expect(set.add(id(9), 0, 6), 'known, until it is dropped').toBe(false);
  set.compact();
  expect(set.has(id(9), 0), 'it counts again, under its new hour').toBe(true);
  for (let hour = 0; hour < 70_000; hour++) set.add(id(100 + hour), 0, hour);
  set.forget(69_000);
  set.compact();
  for (const hour of [69_000, 69_500, 69_999]) expect(set.has(id(100 + hour), 0)).toBe(true);
  for (const hour of [0, 30_000, 60_000]) expect(set.has(id(100 + hour), 0)).toBe(false);
});
