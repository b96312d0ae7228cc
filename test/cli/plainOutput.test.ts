import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand, type Command } from '../../cli/command.ts';
import { spor } from '../../cli/commands.ts';
import { formatTable } from '../../cli/table.ts';
import { openLocalStorage } from '../../lake/storage/local.ts';
import { shownLine, shownText } from '../../runtime/plainText.ts';
import { commitRows } from '../support/lakeFixture.ts';
import { runSpor, type Finished } from '../support/runScript.ts';

/** Clears a terminal, sets its title, moves up a line, by ESC and by C1; then turns text round and hides some. */
const HOSTILE =
  '\u001b[2J\u001b]0;owned\u0007\u009b1A\u0085\rfake\u202egnp.exe\u2066\u200b\u{e0041}\u007f\nforged  line';
const EMOJI = '👩‍👩‍👧 نمی‌خواهم';
const DANGEROUS = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-plain-'));
  const storage = await openLocalStorage(join(dir, 'lake'));
  const received = { received_at: '2026-11-23T10:00:00Z', receipt_id: 'mgq3x0ab-2-1z-0', receipt_index: 0 };
  await commitRows(storage, 'shop', [
    { ...received, type: 'Search', event_id: 'e-1', event_time: '2026-11-23T10:00:00Z', phrase: HOSTILE },
    { ...received, type: 'Search', event_id: 'e-2', event_time: '2026-11-23T10:00:01Z', phrase: EMOJI },
  ]);
  const row = { ...received, event_id: HOSTILE, type: HOSTILE, path: `/${HOSTILE}`, message: HOSTILE };
  await commitRows(
    storage,
    'shop',
    [
      { ...row, code: 'field_unknown', raw: JSON.stringify({ phrase: HOSTILE }) },
      { ...row, code: 'body_not_json', raw: HOSTILE, receipt_index: 1 },
    ],
    { table: 'quarantine' },
  );
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function run(...args: string[]): Promise<Finished> {
  return runSpor(args, { env: { LAKE_URL: `file:${join(dir, 'lake')}`, WORK_DIR: join(dir, 'work') } });
}

/** What a text has besides letters, and line feeds or tabs of its own. */
function dangerous({ stdout, stderr }: Finished): string[] {
  return [...(stdout + stderr).matchAll(DANGEROUS)].map(([found]) => found).filter((found) => found !== '\n');
}

describe('what visitors sent is shown as text', () => {
  it.each([
    ['sql', '--tenant', 'shop', "select phrase, [phrase] l, {'a': phrase} s from events where event_id = 'e-1'"],
    ['sql', '--tenant', 'shop', `select 1 as "${HOSTILE}"`],
    ['quarantine', 'list', '--tenant', 'shop'],
    ['quarantine', 'show', '--tenant', 'shop'],
    ['quarantine', 'list', '--tenant', 'shop', '--json'],
    ['sql', '--tenant', 'shop', "select cast(phrase as int) from events where event_id = 'e-1'"],
    ['sql', '--tenant', 'shop', '--format', HOSTILE, 'select 1'],
    ['receipt', '--tenant', `shop${HOSTILE}`, 'x'],
    [`no${HOSTILE}`],
  ])('by spor %s %s', async (...args) => {
    const finished = await run(...args);
    expect(finished.stdout + finished.stderr).not.toBe('');
    expect(dangerous(finished)).toEqual([]);
    expect(finished.stdout).not.toMatch(/^forged {2}line/m);
  });

  it('and its rows stay rows', async () => {
    const { stdout } = await run('sql', '--tenant', 'shop', 'select phrase from events order by event_id');
    expect(stdout.split('\n').slice(2, 5)).toEqual([shownLine(HOSTILE), EMOJI, '2 rows']);
    expect(shownLine(HOSTILE)).toContain('\\u001b[2J');
    expect(shownLine(HOSTILE)).toContain('\\udb40\\udc41');
  });

  it('by any command, also in an error', async () => {
    let [out, err] = ['', ''];
    const command: Command = {
      run: (_, context) => {
        context.out(HOSTILE);
        throw new Error(HOSTILE);
      },
    };
    const context = { env: {}, cwd: dir, now: Date.now, input: () => Promise.resolve(''), terminal: true };
    const streams = { out: (data: string | Uint8Array) => (out += String(data)), err: (text: string) => (err += text) };
    expect(await runCommand('x', command, [], { ...context, ...streams })).toBe(1);
    expect([out, err]).toEqual([shownText(HOSTILE), `x: ${shownText(HOSTILE)}\n`]);
  });
});

describe('machine formats keep exact values', () => {
  const asked = ['sql', '--tenant', 'shop', "select phrase from events where event_id = 'e-1'"];

  it('as JSON, NDJSON and CSV', async () => {
    expect(JSON.parse((await run(...asked, '--json')).stdout)).toMatchObject({ rows: [[HOSTILE]] });
    expect(JSON.parse((await run(...asked, '--format', 'ndjson')).stdout)).toEqual({ phrase: HOSTILE });
    expect((await run(...asked, '--format', 'csv')).stdout).toContain(HOSTILE);
    await run(...asked, '--out', join(dir, 'exact.csv'));
    expect(await readFile(join(dir, 'exact.csv'), 'utf8')).toContain(HOSTILE);
    const listed = JSON.parse((await run('quarantine', 'list', '--tenant', 'shop', '--json')).stdout) as {
      events: { eventId: string }[];
    };
    expect(listed.events.map(({ eventId }) => eventId)).toEqual([HOSTILE, HOSTILE]);
  });

  it.each(['csv', 'ndjson', 'json'])('but %s on a terminal is text', async (format) => {
    let out = '';
    const code = await runCommand('spor', spor, [...asked, '--format', format], {
      env: { LAKE_URL: `file:${join(dir, 'lake')}`, WORK_DIR: join(dir, 'work') },
      cwd: dir,
      now: Date.now,
      input: () => Promise.resolve(''),
      terminal: true,
      out: (data) => (out += Buffer.from(data).toString()),
      err: () => undefined,
    });
    expect([code, dangerous({ code: 0, stdout: out, stderr: '' })]).toEqual([0, []]);
  });
});

it('a table aligns what it shows', () => {
  expect(formatTable(['a'], [['\u001b'], ['xx']])).toBe('a\n──────\n\\u001b\nxx\n');
});
