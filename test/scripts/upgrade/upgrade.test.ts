import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createReceived } from '../../../scripts/upgrade/received.ts';
import { describeStep, planSteps } from '../../../scripts/upgrade/order.ts';
import { sourcesHere, unpackVersion } from '../../../scripts/upgrade/version.ts';

describe('an upgrade under load', () => {
  it('replaces one process at a time in the documented order, and goes back in reverse', () => {
    const members = { processor: ['p', 'p-2'], ingest: ['i', 'i-2'], lake: ['l', 'l-2'] };
    const names = { before: 'v0.1.0', now: 'v0.2.0' };
    expect(planSteps(members).map((step) => describeStep(step, names))).toEqual([
      'rights of v0.2.0',
      ...['p', 'p-2', 'i', 'i-2', 'l', 'l-2'].map((name) => `${name} becomes v0.2.0`),
      'schemas of v0.1.0',
      ...['l', 'l-2', 'i', 'i-2', 'p', 'p-2'].map((name) => `${name} becomes v0.1.0`),
    ]);
  });

  it('counts each answer but a 202, and the longest time without one', () => {
    const availability = createReceived();
    for (const atMs of [1_000, 1_010, 1_400, 1_410]) availability.accepted(atMs);
    for (const reason of ['ECONNRESET', '503 overloaded', '503 overloaded', '429 quota_exceeded'])
      availability.retried(reason);
    expect([availability.longestGapMs, availability.refusals]).toEqual([390, 3]);
    expect(availability.retries.get('ECONNRESET')).toBe(1);
  });

  it('takes any tag or commit as the version before', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'spor-upgrade-'));
    try {
      await expect(unpackVersion('v0.0.0-none', dir)).rejects.toThrow('v0.0.0-none is no tag or commit');
      const commit = execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim();
      const { root, node } = await unpackVersion(commit, dir);
      const told = execFileSync(node, [join(root, 'cli/spor.ts'), 'version', '--json'], { encoding: 'utf8' });
      expect(JSON.parse(told)).toMatchObject({ node: process.versions.node });
      expect(root).not.toBe(sourcesHere().root);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
