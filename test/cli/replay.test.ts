import { truncate } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setRetention } from '../../lake/maintenance/retention.ts';
import { differs } from '../../cli/replay/compare.ts';
import type { ReplayReport } from '../../cli/replay/replay.ts';
import { anEvent, messageOf, uuid7, type TestEvent } from '../support/messages.ts';
import { startTestPipeline, type TestPipeline } from '../support/testPipeline.ts';
import { runScript, runSpor, type Finished } from '../support/runScript.ts';
import { DAY_MS, utcDay } from '../../runtime/units.ts';

const DATES = ['--from', dateOf(Date.now() - DAY_MS), '--to', dateOf(Date.now() + DAY_MS)];
const TENANT = 'replayed';

let bench: TestPipeline;

beforeAll(async () => {
  bench = await startTestPipeline();
  await bench.processor();
  const events = Array.from({ length: 30 }, (_, index) => anEvent(index));
  const rejected = [{ index: 9, code: 'field_missing', path: '/x', message: 'refused', raw: '{}' }];
  await bench.publish(messageOf(TENANT, 'web', [{ events, rejected }]));
  await bench.publish(messageOf('another', 'web', [{ events: [anEvent(0)] }]));
  await bench.settled();
  await bench.publish(messageOf(TENANT, 'app', [{ events: [anEvent(1), { ...events[3]! }] }]));
  await bench.publish(messageOf(TENANT, 'web', [{ events: [unreadable(), ...events.slice(0, 5), anEvent(7)] }]));
  await bench.settled();
});
afterAll(() => bench?.stop());

function unreadable(): TestEvent {
  return { ...anEvent(1), position: 'first' };
}

function dateOf(ms: number): string {
  return utcDay(ms);
}

function env(): Record<string, string> {
  return { NATS_URL: bench.nats.url, LAKE_URL: `file:${bench.lakeDir}` };
}

function spor(args: string[]): Promise<Finished> {
  return runSpor(['replay', ...args], { env: env() });
}

/** Runs a replay as a process, which ends itself at a step. */
function replayUntil(step: string): Promise<Finished> {
  const args = ['replay', '--tenant', TENANT, ...DATES];
  return runScript('cli/spor.mjs', args, { env: { ...env(), SPOR_REPLAY_FAILPOINT: step } });
}

async function replay(...args: string[]): Promise<ReplayReport> {
  const { code, stdout, stderr } = await spor(['--tenant', TENANT, ...DATES, ...args, '--json']);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as ReplayReport;
}

const KEYS = 'receipt_id, receipt_index, event_id';

/** Takes the first data file of a segment out of the events table, as a mistake would. */
async function lose(segment: string, tenant = TENANT): Promise<void> {
  const table = bench.table('events', tenant);
  const { files } = await table.snapshot();
  const remove = [...files.values()].filter(({ partitionValues }) => partitionValues.segment === segment).slice(0, 1);
  await table.replace({ remove, add: [], dataChange: true, unusedSinceMs: Infinity, info: { operation: 'DELETE' } });
}

describe('spor replay', () => {
  it('finds nothing to change where the lake is what the stream gives', async () => {
    const { partitions, swapped } = await replay();
    expect(swapped).toBeUndefined();
    expect(partitions.map(({ table, segment, lake, stream }) => [table, segment, lake.rows, stream.rows])).toEqual([
      ['events', 'app', 1, 1],
      ['events', 'web', 31, 31],
      ['quarantine', 'web', 2, 2],
    ]);
    for (const { lake, stream } of partitions) expect(lake.checksum).toBe(stream.checksum);
  });

  it('puts back what was lost, in one commit, beside a processor at work, and can be undone', async () => {
    const whole = await bench.rows('events', TENANT, KEYS);
    await lose('web');
    const damaged = await bench.rows('events', TENANT, KEYS);
    expect(damaged.length).toBeLessThan(whole.length);
    const dry = await replay('--dry-run');
    expect(dry.partitions.filter(differs)).toMatchObject([
      { segment: 'web', onlyInStream: whole.length - damaged.length },
    ]);
    expect(await bench.rows('events', TENANT, KEYS)).toEqual(damaged);

    const [{ swapped }] = await Promise.all([
      replay(),
      (async () => {
        for (let n = 0; n < 20; n++) await bench.publish(messageOf(TENANT, 'web', [{ events: [anEvent(n)] }]));
      })(),
    ]);
    expect(Object.keys(swapped?.versions ?? {})).toEqual(['events']);
    await bench.settled();
    const rows = await bench.rows('events', TENANT, KEYS);
    expect(rows).toHaveLength(whole.length + 20);
    expect(rows).toEqual(expect.arrayContaining(whole));
    expect((await replay('--dry-run')).partitions.filter(differs)).toEqual([]);

    const undone = await spor(['undo', '--tenant', TENANT]);
    expect([undone.code, undone.stdout]).toEqual([0, expect.stringContaining('events is as before') as string]);
    expect(await bench.rows('events', TENANT, KEYS)).toHaveLength(damaged.length + 20);
    const again = await spor(['undo', '--tenant', TENANT]);
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('nothing to undo') as string]);
    expect((await replay()).swapped).toBeDefined();
    expect(await bench.rows('events', TENANT, KEYS)).toHaveLength(whole.length + 20);
  });

  it('may be killed at any step', async () => {
    const whole = await bench.rows('events', TENANT, KEYS);
    await lose('app');
    for (const step of ['after-upload', 'after-record']) {
      const killed = await replayUntil(step);
      expect(killed.code).not.toBe(0);
      expect((await bench.rows('events', TENANT, KEYS)).length).toBeLessThan(whole.length);
    }
    await replayUntil('after-commit');
    expect(await bench.rows('events', TENANT, KEYS)).toEqual(whole);
    expect((await replay()).swapped).toBeUndefined();
  });

  it('mends a file that cannot be read', async () => {
    const whole = await bench.rows('events', TENANT, KEYS);
    const { files } = await bench.table('events', TENANT).snapshot();
    const [path] = [...files.keys()].filter((name) => name.startsWith('segment=web'));
    await truncate(bench.storage.localPath(`events/tenant=${TENANT}/${path}`)!, 100);
    const { partitions, swapped } = await replay();
    expect(partitions.filter(differs)).toMatchObject([{ segment: 'web', unreadable: expect.any(String) as string }]);
    expect(swapped).toBeDefined();
    expect(await bench.rows('events', TENANT, KEYS)).toEqual(whole);
  });

  it('loses no row that only the lake has, unless told to', async () => {
    const sequence = await bench.publish(
      messageOf(TENANT, 'kiosk', [{ events: [{ ...anEvent(1), eventId: uuid7() }] }]),
    );
    await bench.settled();
    const { stream } = await replay('--dry-run');
    await bench.manager.streams.deleteMessage(stream, sequence);
    const refused = await spor(['--tenant', TENANT, ...DATES]);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/1 rows of the lake cannot be rebuilt/) as string,
    ]);
    expect(await bench.rows('events', TENANT, KEYS, 'event_id')).not.toEqual([]);
    expect((await replay('--accept-loss')).swapped).toBeDefined();
    expect((await bench.rows('events', TENANT, 'segment', 'segment')).filter((row) => row.segment === 'kiosk')).toEqual(
      [],
    );
  });

  it('leaves erased people out and counts them, with accounts that add up, and is not undone after an erasure', async () => {
    const tenant = 'erasing';
    const person = { userId: 'customer-4711-x' };
    const raw = (text: string): string => JSON.stringify({ type: 'Search', note: text });
    const refusals = [`for=${person.userId};`, 'of another'].map((text, at) => ({
      index: 3 + at,
      code: 'field_unknown',
      path: '/note',
      message: 'refused',
      raw: raw(text),
    }));
    const run = (args: string[]): Promise<Finished> => runSpor([...args, '--tenant', tenant, '--json'], { env: env() });
    const replayed = async (): Promise<ReplayReport> => {
      const { code, stdout, stderr } = await run(['replay', ...DATES]);
      expect(code, stderr).toBe(0);
      return JSON.parse(stdout) as ReplayReport;
    };
    const expectBalanced = async (): Promise<void> => {
      const { code, stdout } = await run(['reconcile', ...DATES]);
      expect(code, stdout.slice(0, 2_000)).toBe(0);
    };
    const idsOf = async (): Promise<unknown[]> => bench.rows('events', tenant, 'receipt_index, user_id');
    for (const segment of ['web', 'app']) {
      const events = [anEvent(0), anEvent(1, undefined, person), anEvent(2)];
      await bench.publish(messageOf(tenant, segment, [{ events, rejected: refusals }]));
      await bench.settled();
    }
    await lose('app', tenant);
    const first = await replayed();
    expect(first.swapped).toBeDefined();
    expect(await idsOf()).toHaveLength(6);
    await lose('web', tenant);
    const erased = await run(['erase', '--user', person.userId, '--by', 'the tests']);
    expect(erased.code, erased.stderr).toBe(0);
    const undo = await run(['replay', 'undo', '--id', first.swapped!.id]);
    expect([undo.code, undo.stderr]).toEqual([
      1,
      expect.stringMatching(/nothing to undo: replays before an erasure/) as string,
    ]);

    const { partitions } = await replayed();
    expect(
      partitions.map(({ table, segment, lake, stream, erased: newly }) => [
        table,
        segment,
        lake.rows,
        stream.rows,
        newly,
      ]),
    ).toEqual([
      // Counted by the erasure; then lost before it, and counted by the replay; the quarantine as the erasure left it.
      ['events', 'app', 2, 2, 0],
      ['events', 'web', 0, 2, 1],
      ['quarantine', 'app', 1, 1, 0],
      ['quarantine', 'web', 1, 1, 0],
    ]);
    expect(JSON.stringify(await idsOf())).not.toContain(person.userId);
    expect(await idsOf()).toHaveLength(4);
    await expectBalanced();
    expect((await replayed()).swapped).toBeUndefined();
  });

  it('refuses what the stream does not hold, and says what it holds', async () => {
    await bench.publish(messageOf(TENANT, 'web', [{ events: [anEvent(1)] }]));
    await bench.settled();
    const { stream, lastSequence } = await replay('--dry-run');
    await bench.manager.streams.purge(stream, { seq: lastSequence });
    const refused = await spor(['--tenant', TENANT, ...DATES]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      new RegExp(`does not hold the whole range.*${stream} holds messages from sequence ${lastSequence} of 20`),
    );
    await setRetention(bench.table('events', TENANT), 30);
    const expired = await spor(['--tenant', TENANT, '--from', '2026-01-01', '--to', '2026-01-02']);
    expect([expired.code, expired.stderr]).toEqual([1, expect.stringContaining('keeps 30 days') as string]);
    const { code, stderr } = await spor(['--tenant', TENANT, '--from', '2026-02-30', '--to', '2026-03-01']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('is not a date') as string]);
  });
});
