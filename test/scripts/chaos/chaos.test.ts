import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ChaosSummary } from '../../../scripts/chaos/report.ts';

const PROGRAM = fileURLToPath(new URL('../../../scripts/chaos/main.ts', import.meta.url));

let dir: string;

beforeEach(async () => {
  dir = join(await mkdtemp(join(tmpdir(), 'spor-test-chaos-')), 'run');
});
afterEach(() => rm(join(dir, '..'), { recursive: true, force: true, maxRetries: 5 }));

async function chaos(...args: string[]): Promise<{ code: number; summary: ChaosSummary; said: string }> {
  const child = spawn(process.execPath, [PROGRAM, '--json', '--dir', dir, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number];
  const last = out.trimEnd().split('\n').at(-1);
  expect(last, said).toMatch(/^\{/);
  return { code, summary: JSON.parse(last!) as ChaosSummary, said };
}

test('three cycles: every acknowledged event is in the lake exactly once', async () => {
  const { code, summary, said } = await chaos('--cycles', '3', '--seed', '34');
  const none = { lost: 0, duplicated: 0, wrongTenant: 0, rejectedStored: 0, forgotten: 0, unbalanced: 0 };
  expect(summary, said).toMatchObject({ cycles: 3, ...none, claimed: 0 });
  expect(summary.marks).toBeGreaterThan(0);
  expect(said).not.toContain('the step was not seen');
  expect(code, said).toBe(0);
  expect(summary.acked).toBeGreaterThan(0);
  expect(summary.stored).toBeGreaterThanOrEqual(summary.acked);
  expect(Object.values(summary.faults).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0);
  expect(existsSync(dir), 'a run without faults leaves nothing').toBe(false);
});

test('negative control: with the acknowledgement before the commit, losses are found and shown', async () => {
  const { code, summary, said } = await chaos('--cycles', '3', '--seed', '1', '--negative-control');
  expect(code, said).toBe(1);
  expect(summary.lost, said).toBeGreaterThan(0);
  expect(summary.unbalanced, said).toBeGreaterThan(0);
  expect(said).toMatch(/SEED 1, CYCLE \d+ \(die at before-upload\)/);
  const evidence = JSON.parse(await readFile(join(dir, 'evidence.json'), 'utf8')) as {
    seed: number;
    findings: { findings: { kind: string; eventId: string; receiptId: string }[] }[];
  };
  expect(evidence.seed).toBe(1);
  const [lost] = evidence.findings[0]!.findings;
  expect(lost).toMatchObject({ kind: 'lost', receiptId: expect.stringMatching(/^[0-9a-z-]+$/) });
  expect(await readFile(join(dir, 'ledger.ndjson'), 'utf8')).toContain(lost!.eventId);
});

// Half a minute of two cores: npm run test:long runs them.
test.skipIf(process.env.SPOR_TEST_LONG === undefined).each([
  ['clocks', 'expire by a wrong clock'],
  ['restore', 'stream older'],
])('negative control: a broken guard of %s is found', async (control, fault) => {
  const { code, summary, said } = await chaos('--cycles', '1', '--seed', '1', '--control', control);
  expect(code, said).toBe(1);
  expect(summary.lost, said).toBeGreaterThan(0);
  expect(summary, said).toMatchObject({ acceptedLosses: 0, faults: { [fault]: 1 } });
});
