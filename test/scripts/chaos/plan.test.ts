import { expect, test } from 'vitest';
import { COMPACTION_STEPS } from '../../../lake/maintenance/failpoint.ts';
import { FLUSH_STEPS } from '../../../processor/failpoint.ts';
import { LINK_MODES } from '../../../scripts/chaos/proxy.ts';
import { faultName, LINKS, planCycles, STEP_EVENTS } from '../../../scripts/chaos/plan.ts';

const everything = (): undefined => undefined;

test('the same seed plans the same cycles, another seed others', () => {
  const plan = planCycles(7, 40, everything);
  expect(planCycles(7, 40, everything)).toEqual(plan);
  expect(planCycles(8, 40, everything)).not.toEqual(plan);
  expect(plan.cycles.map(({ number }) => number)).toEqual(Array.from({ length: 40 }, (_, number) => number));
});

test('a run of some dozen cycles meets every named step of flush, compaction, lease and publish, and every link', () => {
  const { cycles } = planCycles(1, 80, everything);
  const names = new Set(cycles.flatMap(({ faults }) => faults.map(faultName)));
  for (const step of FLUSH_STEPS) {
    expect(names).toContain(`die at ${step}`);
    expect(names).toContain(`expire lease at ${step}`);
  }
  for (const step of COMPACTION_STEPS) expect(names).toContain(`compaction dies at ${step}`);
  for (const sign of STEP_EVENTS) {
    expect(names).toContain(`kill processor at ${sign}`);
    expect(names).toContain(`kill nats at ${sign}`);
    expect(names).toContain(`pause processor at ${sign}`);
  }
  for (const name of ['kill ingest at publish', 'kill everything', 'kill s3', 'pause s3'])
    expect(names).toContain(name);
  for (const link of LINKS) for (const mode of LINK_MODES) expect(names).toContain(`link ${link} ${mode}`);
});

test('what cannot be done here is not dealt, and named with its reason', () => {
  const { cycles, notRun } = planCycles(1, 60, (fault) => (fault.kind === 'disk' ? 'no disk' : undefined));
  expect(cycles.flatMap(({ faults }) => faults).some(({ kind }) => kind === 'disk')).toBe(false);
  expect([...notRun.keys()].sort()).toEqual(['disk of lake full', 'disk of stream full', 'disk of work full']);
  expect([...notRun.values()]).toEqual(['no disk', 'no disk', 'no disk']);
});
