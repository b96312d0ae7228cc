import { expect, test } from 'vitest';
import { estimateNeed, type SizedLoad } from '../../cli/sizing/estimate.ts';
import { runSpor } from '../support/runScript.ts';

/** The load of the bench of tenants. */
const MANY: SizedLoad = {
  tenants: 1_000,
  eventsPerSecond: 1_000,
  peak: 1,
  eventsPerRequest: 1,
  retentionDays: 30,
  keepHours: 72,
  commitsPerSecond: 8,
  commitMaxSeconds: 300,
  queries: 1,
  s3: true,
};

test('the estimate of a measured load is what was measured', () => {
  // docs/benchmarks.md, tenants: 0.57 cores in a folder; on S3, with half of the commits, PUT 8.43 and LIST 12.5 a second.
  expect(Math.abs(estimateNeed(MANY).meanCores - 0.57)).toBeLessThan(0.1);
  const { commitsPerSecond, requests } = estimateNeed({ ...MANY, commitsPerSecond: 4 });
  expect(commitsPerSecond).toBe(4);
  const perSecond = (millions: number | undefined): number => (millions! * 1e6) / (30 * 86_400);
  expect(Math.abs(perSecond(requests.PUT) - 8.43)).toBeLessThan(0.5);
  expect(Math.abs(perSecond(requests.LIST) - 12.5)).toBeLessThan(0.5);
});

test('nothing gets cheaper with more of anything', () => {
  const less = estimateNeed(MANY);
  const more: Partial<SizedLoad>[] = [
    { tenants: 5_000 },
    { eventsPerSecond: 5_000 },
    { peak: 4 },
    { retentionDays: 60 },
    { keepHours: 144 },
    { queries: 3 },
  ];
  for (const change of more) {
    const need = estimateNeed({ ...MANY, ...change });
    for (const part of ['meanCores', 'peakCores', 'memoryGib', 'streamGib', 'lakeGib', 'requestDollars'] as const)
      expect(need[part], `${part} with ${JSON.stringify(change)}`).toBeGreaterThanOrEqual(less[part]);
  }
});

test('spor size prints the estimate, and refuses what is no number', async () => {
  const { code, stdout } = await runSpor(['size', '--tenants', '50', '--events', '20', '--s3'], {});
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^memory +\d+\.\d GiB$/m)]);
  expect(stdout).toMatch(/^S3 a month +\$\d+ /m);
  const wrong = await runSpor(['size', '--tenants', 'many'], {});
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('--tenants many is not a whole number')]);
});
