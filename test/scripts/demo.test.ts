import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compare, faultsOf, quarantineFaults } from '../../scripts/demo/verify.ts';
import { isAlive } from '../../runtime/isAlive.ts';
import { startS3 } from '../../scripts/s3/s3Server.ts';
import { runScript, type Finished } from '../support/runScript.ts';

interface Summary {
  accepted: number;
  stored: number;
  rejected: number;
  quarantined: number;
  duplicated: number;
  lost: number;
  eventsPerSecond: number;
  freshnessMs: { p50: number; p99: number };
  files: number;
  seconds: number;
}

const WHOLE: Record<string, unknown> = { code: 0 };
let dir: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-demo-'));
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL'); // ended already, unless a test failed
  await rm(dir, { recursive: true, force: true, maxRetries: 5 });
});

describe('npm run demo', () => {
  it('plays, proves itself, answers, and leaves only its data', async () => {
    const finished = await demo('--seconds', '3', '--rate', '400', '--dir', join(dir, 'run'));
    expect(finished, finished.stderr).toMatchObject(WHOLE);
    const summary = resultOf(finished);
    expect(Object.keys(summary)).toEqual([
      'accepted',
      'stored',
      'rejected',
      'quarantined',
      'duplicated',
      'lost',
      'eventsPerSecond',
      'freshnessMs',
      'files',
      'seconds',
    ]);
    expect(summary.accepted).toBeGreaterThan(600);
    expect(summary).toMatchObject({ stored: summary.accepted, lost: 0, duplicated: 0 });
    expect(summary.rejected).toBeGreaterThan(0);
    expect(summary.quarantined).toBe(summary.rejected);
    expect(summary.files).toBeGreaterThan(0);
    expect(summary.freshnessMs.p50).toBeGreaterThan(0);
    expect(summary.freshnessMs.p99).toBeGreaterThanOrEqual(summary.freshnessMs.p50);
    expect(pidsOf(finished).length).toBe(5);
    expect(pidsOf(finished).filter(isAlive)).toEqual([]);

    // What the report says works when pasted.
    const { stderr } = finished;
    for (const part of ['click_through', 'average_order', 'Which products', 'exactly once', 'nordic-outlet']) {
      expect(stderr).toContain(part);
    }
    const [, lakeUrl = '', tenant = '', sql = ''] =
      /LAKE_URL=(\S+) npx spor sql --tenant (\S+) "(.*)"/.exec(stderr) ?? [];
    const answer = await runScript('cli/spor.mjs', ['sql', '--tenant', tenant, '--json', sql], {
      env: { LAKE_URL: lakeUrl },
    });
    const { rows } = JSON.parse(answer.stdout) as { rows: [string, number][] };
    const types = rows.map(([type]) => type);
    expect(types).toEqual(
      expect.arrayContaining(['Search', 'ProductClicked', 'ProductAddedToCart', 'OrderCreated', 'OrderRefunded']),
    );
    const glob = /read_parquet\('([^']+)'/.exec(stderr)![1]!;
    expect(glob.endsWith('segment=*/date=*/*.parquet')).toBe(true);
  });

  it('numbers its folders, and runs again in an old one without counting what was there', async () => {
    await mkdir(join(dir, '.spor', 'demo-1'), { recursive: true });
    const short = ['--seconds', '1', '--rate', '50', '--json'];
    // Files are checked once all is committed, however long that takes.
    const first = await runScript('scripts/demo/main.ts', short, { cwd: dir, env: { WINDOW_MAX_MS: '4000' } });
    const { stderr, code } = first;
    expect(resultOf(first).lost).toBe(0);
    const own = join(dir, '.spor', 'demo-2');
    expect([code, stderr.split('\n')[0]]).toEqual([0, `Spor's data goes to ${own}`]);
    const again = await demo('--seconds', '1', '--rate', '50', '--dir', own);
    expect(again, again.stderr).toMatchObject(WHOLE);
    await expect(access(join(own, 'supervisor.pid'))).rejects.toThrow('ENOENT');
  });

  it('stops everything when interrupted', async () => {
    const { code, stderr } = await watched((line, child) => {
      if (line.startsWith('simulating')) child.kill('SIGINT');
    });
    expect([code, stderr.includes('interrupted')]).toEqual([130, true]);
    const pids = pidsOf({ stderr });
    expect([pids.length, pids.filter(isAlive)]).toEqual([5, []]);
  });

  it('says what failed when a part ends by itself', async () => {
    const { code, stderr } = await watched((line) => {
      const ingest = /ingest \((\d+)\)/.exec(line)?.[1];
      if (ingest !== undefined) process.kill(Number(ingest), 'SIGKILL');
    });
    expect(code).toBe(1);
    expect(stderr).toContain('demo: ingest was killed by SIGKILL');
    expect(pidsOf({ stderr }).filter(isAlive)).toEqual([]);
  });

  it('refuses odd options', async () => {
    for (const args of [['--seconds', '0'], ['--rate', 'fast'], ['--seed', '-1'], ['--nonsense'], ['extra']]) {
      expect([args, (await runScript('scripts/demo/main.ts', args, { cwd: dir })).code]).toEqual([args, 2]);
    }
    expect((await runScript('scripts/demo/main.ts', ['--help'])).stdout).toContain('--seconds');
  });

  it('puts the lake into S3 where LAKE_URL says so', async ({ skip }) => {
    const s3 = await startS3();
    if ('unavailable' in s3) return skip(s3.unavailable);
    try {
      const env = { ...s3.env, LAKE_URL: `s3://${s3.bucket}/demo` };
      const finished = await runScript(
        'scripts/demo/main.ts',
        ['--seconds', '2', '--rate', '200', '--json', '--dir', dir],
        { env },
      );
      expect(finished, finished.stderr).toMatchObject(WHOLE);
      const summary = resultOf(finished);
      expect(summary).toMatchObject({
        stored: summary.accepted,
        lost: 0,
        duplicated: 0,
        quarantined: summary.rejected,
      });
      expect(summary.accepted).toBeGreaterThan(200);
    } finally {
      await s3.stop();
    }
  });
});

describe('the check behind it', () => {
  const known = (tenantId: string) => ({ tenantId, receiptId: 'r' });
  const ledger = {
    accepted: new Map([
      ['1', known('a')],
      ['2', known('a')],
      ['3', known('b')],
    ]),
    unknown: new Set(['9']),
  };

  it('finds nothing where all is well, whether an unanswered event was stored or not', () => {
    for (const stored of [
      [
        ['1', 1],
        ['2', 1],
      ],
      [
        ['1', 1],
        ['2', 1],
        ['9', 1],
      ],
    ] as [string, number][][]) {
      expect(faultsOf('x', compare('a', ledger, new Map(stored)))).toEqual([]);
    }
  });

  it('finds what is lost, doubled, and in the wrong place', () => {
    const comparison = compare(
      'a',
      ledger,
      new Map([
        ['1', 2],
        ['3', 1],
        ['7', 1],
        ['9', 2],
      ]),
    );
    expect(comparison).toEqual({ tenantId: 'a', stored: 6, lost: ['2'], duplicated: ['1', '9'], foreign: ['3', '7'] });
    expect(faultsOf('a bare read', comparison)).toEqual([
      '1 events of a were acknowledged and are not in the lake, read by a bare read, for instance 2',
      '2 events of a are in the lake more than once, read by a bare read, for instance 1',
      '2 events of a are in the lake but were not acknowledged for it, read by a bare read, for instance 3',
    ]);
  });

  it('compares the quarantine by code', () => {
    const refused = new Map([
      ['field_missing', 2],
      ['type_unknown', 1],
    ]);
    expect(quarantineFaults('a', refused, new Map(refused))).toEqual([]);
    expect(
      quarantineFaults(
        'a',
        refused,
        new Map([
          ['field_missing', 1],
          ['field_type', 1],
        ]),
      ),
    ).toHaveLength(3);
  });
});

/** A long demo to its end, told of each line of its report. */
async function watched(
  onLine: (line: string, child: ChildProcess) => void,
): Promise<{ code: number | null; stderr: string }> {
  const script = fileURLToPath(new URL('../../scripts/demo/main.ts', import.meta.url));
  const child = spawn(process.execPath, [script, '--seconds', '60', '--dir', dir, '--json'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  children.push(child);
  let stderr = '';
  for await (const line of createInterface({ input: child.stderr })) {
    stderr += `${line}\n`;
    onLine(line, child);
  }
  if (child.exitCode === null) await once(child, 'exit');
  return { code: child.exitCode, stderr };
}

function demo(...args: string[]): Promise<Finished> {
  return runScript('scripts/demo/main.ts', [...args, '--json']);
}

function resultOf({ stdout }: Finished): Summary {
  const lines = stdout.trimEnd().split('\n');
  expect(lines.length).toBe(1); // with --json everything else goes to standard error
  return JSON.parse(lines[0]!) as Summary;
}

/** Pids of the stack, from the line that names them. */
function pidsOf({ stderr }: { stderr: string }): number[] {
  const line = stderr.split('\n').find((text) => text.startsWith('running: ')) ?? '';
  return [...line.matchAll(/\((\d+)\)/g)].map(([, pid]) => Number(pid));
}
