import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Duplicates, type StoredIds } from '../../../lake/dedupe/duplicates.ts';
import { Engine, type EngineSession } from '../../../lake/duckdb/engine.ts';
import { literal } from '../../../lake/duckdb/sqlText.ts';
import { ParquetBuild } from '../../../lake/flush/parquetBuild.ts';
import { groupPartitions, writeWindow, type WrittenWindow } from '../../../lake/flush/parquetWriter.ts';
import type { ClosedWindow, LineRun } from '../../../lake/window/closedWindow.ts';
import { createLog } from '../../../runtime/log.ts';
import { createRegistry } from '../../../schemas/registry.ts';
import { anEvent, type TestEvent } from '../../support/messages.ts';
import { NOTHING_STORED, shopMessage, shopWindow } from '../../support/windows.ts';
import { DAY_MS } from '../../../runtime/units.ts';

const registry = createRegistry();
const TODAY = new Date('2026-11-27T12:00:00.000Z');
const NO_IDS: StoredIds = {
  files: () => Promise.resolve([]),
  read: () => Promise.resolve(''),
  find: () => Promise.resolve(''),
};
let dir: string;
let engine: Engine;
let session: EngineSession;
let windows = 0;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-written-'));
  engine = new Engine({ dir: join(dir, 'engine'), memory: '512MiB', threads: 1, log: createLog('test', 'silent') });
  session = engine.session();
});
afterAll(async () => {
  await engine.close();
  await rm(dir, { recursive: true, force: true });
});

interface Sent {
  segment: string;
  events: TestEvent[];
}

function windowOf(sent: readonly Sent[]): Promise<ClosedWindow> {
  const window = shopWindow(join(dir, `window-${windows++}`));
  for (const [index, { segment, events }] of sent.entries()) {
    const posts = [{ events, receivedAt: TODAY }];
    window.add(shopMessage(posts, { sequence: index + 1, timeMs: TODAY.getTime(), segment }), NOTHING_STORED);
  }
  return window.close();
}

/** The same window with its runs in another order in the file, as one that was written several times has them. */
async function reordered(window: ClosedWindow, order: readonly number[]): Promise<ClosedWindow> {
  const lines = (await readFile(window.files.events, 'utf8')).split('\n');
  const runs: LineRun[] = [];
  const moved: string[] = [];
  for (const { run } of window.runs
    .map((run, index) => ({ run, place: order[index]! }))
    .sort((a, b) => a.place - b.place)) {
    runs.push({ ...run, firstLine: moved.length });
    moved.push(...lines.slice(run.firstLine, run.firstLine + run.lines));
  }
  const events = `${window.files.events}.reordered`;
  await writeFile(events, moved.map((line) => `${line}\n`).join(''));
  return { ...window, files: { ...window.files, events }, runs };
}

function write(window: ClosedWindow, parts = 1): Promise<WrittenWindow> {
  const duplicates = new Duplicates({ maxBytes: 1e8, windowMs: DAY_MS });
  return writeWindow(window, { registry, session, duplicates, stored: NO_IDS, erasures: new Map(), parts });
}

/** Each row as `segment/date/event id/sequence`, in the order of the files; checks that each file is sorted. */
async function rowsOf({ files }: Pick<WrittenWindow, 'files'>): Promise<string[]> {
  const rows: string[] = [];
  for (const { localFile, source, date } of files) {
    const found = await session.run(`SELECT event_id, segment_id, receipt_id, "type", epoch_us(event_time) AS us,
      strftime(event_time, '%Y-%m-%d') AS day FROM read_parquet(${literal(localFile)})`);
    const keys = found.map(({ type, us }) => `${String(type)} ${String(us).padStart(20)}`);
    expect(keys).toEqual(keys.toSorted());
    expect(found.every((row) => row.segment_id === source.segmentId && row.day === date)).toBe(true);
    rows.push(
      ...found.map(
        (row) => `${source.segmentId}/${date}/${String(row.event_id)}/${String(row.receipt_id).split('-')[2]}`,
      ),
    );
  }
  return rows;
}

test('wherever in the file the lines lie, rows go to their partitions, and of resends the first in the stream', async () => {
  const message = fc.record({
    segment: fc.constantFrom('web', 'app', 'shop-3'),
    events: fc.array(fc.record({ daysAgo: fc.nat(1), again: fc.option(fc.nat(40), { freq: 4 }) }), { maxLength: 8 }),
    place: fc.nat(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(message, { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 1, max: 3 }),
      async (messages, parts) => {
        const known: TestEvent[] = [];
        const expected = new Map<string, string>();
        const sent = messages.map(({ segment, events: asked }, index): Sent => ({
          segment,
          events: asked.map(({ daysAgo, again }) => {
            const time = new Date(TODAY.getTime() - daysAgo * DAY_MS);
            const event = (again === null ? undefined : known[again]) ?? anEvent(known.length, time);
            const date = String(event.timestamp).slice(0, 10);
            if (!expected.has(event.eventId))
              expected.set(event.eventId, `${segment}/${date}/${event.eventId}/${(index + 1).toString(16)}`);
            known.push(event);
            return event;
          }),
        }));
        const window = await windowOf(sent);
        const written = await write(
          await reordered(
            window,
            messages.map(({ place }) => place),
          ),
          parts,
        );
        expect((await rowsOf(written)).sort()).toEqual([...expected.values()].sort());
        await rm(window.dir, { recursive: true });
      },
    ),
    { numRuns: 12, endOnFailure: true },
  );
});

test('a large partition, one of a few rows and one of several days are written alike', async () => {
  const many = Array.from({ length: 40_000 }, (_, index) => anEvent(index, TODAY));
  const few = Array.from({ length: 7 }, (_, index) => anEvent(index, new Date(TODAY.getTime() - index * DAY_MS)));
  const sent = Array.from({ length: 100 }, (_, index) => [
    { segment: 'web', events: many.slice(index * 400, (index + 1) * 400) },
    {
      segment: `small-${index % 20}`,
      events: few.slice(index % 8, (index % 8) + 1).map((event) => ({ ...event, eventId: anEvent(0).eventId })),
    },
  ]).flat();
  const written = await write(await windowOf(sent));
  const rows = await rowsOf(written);
  expect(rows).toHaveLength(sent.reduce((sum, { events }) => sum + events.length, 0));
  expect(new Set(rows).size).toBe(rows.length);
});

test('an event that cannot become a row is found and set aside, wherever in the file it lies', async () => {
  const sent = Array.from({ length: 8 }, (_, index): Sent => ({
    segment: `segment-${index % 3}`,
    events: [anEvent(0, TODAY), anEvent(1, TODAY), anEvent(2, TODAY)],
  }));
  sent[4]!.events[1]!.type = 'NobodyKnows';
  const window = await windowOf(sent);
  const scattered = await reordered(window, [5, 2, 7, 0, 3, 6, 1, 4]);
  const preparation = new ParquetBuild(scattered, {
    registry,
    session,
    duplicates: new Duplicates({ maxBytes: 1e8, windowMs: DAY_MS }),
    stored: NO_IDS,
    erasures: new Map(),
    log: createLog('test', 'silent'),
    onMemory: () => undefined,
  });
  const written = await preparation.run();
  const left = sent.flatMap(({ events }) => events).filter(({ type }) => type !== 'NobodyKnows');
  const events = written.files.filter(({ table }) => table === 'events');
  expect((await rowsOf({ files: events })).map((row) => row.split('/')[2]!).sort()).toEqual(
    left.map(({ eventId }) => eventId).sort(),
  );
  const [quarantined] = written.files.filter(({ table }) => table === 'quarantine');
  const [row] = await session.run(
    `SELECT event_id, code, split_part(receipt_id, '-', 3) AS sequence FROM read_parquet(${literal(quarantined!.localFile)})`,
  );
  expect(row).toEqual({ event_id: sent[4]!.events[1]!.eventId, code: 'schema_unknown', sequence: '5' });
});

test('partitions are written in groups of whole sources, all of them once, none larger than it must be', () => {
  const partition = fc.record({ source: fc.nat(40), day: fc.nat(3), rows: fc.integer({ min: 1, max: 6_000 }) });
  fc.assert(
    fc.property(
      fc.uniqueArray(partition, { selector: ({ source, day }) => `${source}/${day}`, maxLength: 80 }),
      (given) => {
        const partitions = given.toSorted((a, b) => a.source - b.source || a.day - b.day);
        const groups = groupPartitions(partitions);
        expect(groups.flat()).toEqual(partitions);
        const rowsOfGroup = (group: typeof partitions): number => group.reduce((sum, { rows }) => sum + rows, 0);
        for (const [index, group] of groups.entries()) {
          const sources = new Set(group.map(({ source }) => source));
          expect(groups.some((other, at) => at !== index && other.some(({ source }) => sources.has(source)))).toBe(
            false,
          );
          expect(sources.size === 1 || (rowsOfGroup(group) <= 8_000 && group.length <= 16)).toBe(true);
          const next = groups[index + 1] ?? [];
          const more = next.filter(({ source }) => source === next[0]!.source);
          const both = [...group, ...more];
          expect(more.length === 0 || rowsOfGroup(both) > 8_000 || both.length > 16).toBe(true);
        }
      },
    ),
  );
});
