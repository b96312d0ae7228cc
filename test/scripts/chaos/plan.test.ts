import { expect, test } from 'vitest';
import { COMPACTION_STEPS } from '../../../lake/maintenance/failpoint.ts';
import { FLUSH_STEPS } from '../../../processor/failpoint.ts';
import { LINK_MODES } from '../../../scripts/chaos/proxy.ts';
import { faultName, LINKS, CHORES, RESTORES, STEP_EVENTS } from '../../../scripts/chaos/fault.ts';
import { alarmFaults } from '../../../scripts/chaos/alarms.ts';
import { CONTROLS, planControl, planCycles } from '../../../scripts/chaos/plan.ts';

const everything = (): undefined => undefined;

test('the same seed plans the same cycles, another seed others', () => {
  const plan = planCycles(7, 40, everything);
  expect(planCycles(7, 40, everything)).toEqual(plan);
  expect(planCycles(8, 40, everything)).not.toEqual(plan);
  expect(plan.cycles.map(({ number }) => number)).toEqual(Array.from({ length: 40 }, (_, number) => number));
});

test('a run of some dozen cycles meets every named step of flush, compaction, lease and publish, and every link', () => {
  const { cycles } = planCycles(1, 110, everything);
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
  for (const name of [
    'kill ingest at publish',
    'kill everything',
    'kill majority',
    'wipe one nats',
    'kill s3',
    'pause s3',
  ])
    expect(names).toContain(name);
  for (const name of [...CHORES, ...RESTORES]) expect(names).toContain(name);
  for (const link of LINKS) for (const mode of LINK_MODES) expect(names).toContain(`link ${link} ${mode}`);
});

test('what cannot be done here is not dealt, and named with its reason', () => {
  const { cycles, notRun } = planCycles(1, 60, (fault) => (fault.kind === 'disk' ? 'no disk' : undefined));
  expect(cycles.flatMap(({ faults }) => faults).some(({ kind }) => kind === 'disk')).toBe(false);
  expect([...notRun.keys()].sort()).toEqual(['disk of lake full', 'disk of stream full', 'disk of work full']);
  expect([...notRun.values()]).toEqual(['no disk', 'no disk', 'no disk']);
});

test('a store that goes back is alone in its cycle, and is dealt nevertheless', () => {
  const { cycles } = planCycles(3, 300, everything);
  const restoring = cycles.filter(({ faults }) => faults.some(({ kind }) => kind === 'restore'));
  expect(restoring.length).toBeGreaterThan(RESTORES.length);
  expect(restoring.every(({ faults }) => faults.length === 1)).toBe(true);
});

test('faults are chosen by their names, and a choice that leaves none is said', () => {
  const { cycles } = planCycles(1, 5, everything, (name) => name === 'erase');
  expect(new Set(cycles.flatMap(({ faults }) => faults.map(faultName)))).toEqual(new Set(['erase']));
  expect(() => planCycles(1, 5, everything, () => false)).toThrow('no fault can run here');
});

test('each negative control breaks one guard in every cycle', () => {
  for (const control of CONTROLS) {
    const { cycles } = planControl(control, 1, 3);
    expect(new Set(cycles.flatMap(({ faults }) => faults.map(faultName))).size).toBe(1);
  }
});

test('each fault knows the grave alerts that it raises, and no other alert is explained', () => {
  const at = { afterMs: 0 };
  const older = { kind: 'restore', restore: 'stream older', at, forMs: 1 } as const;
  const kill = { kind: 'kill', target: 'processor', at } as const;
  const clock = { kind: 'clock', target: 'ingest', byMs: 1, at, forMs: 1 } as const;
  expect(alarmFaults(new Set(['SporServiceNotReady', 'SporRestarts']), [kill])).toEqual([]);
  expect(alarmFaults(new Set(['SporStreamSetBack', 'SporMessagesGone']), [older])).toEqual([]);
  expect(alarmFaults(new Set(), [older])).toEqual(['SporStreamSetBack was not raised']);
  expect(alarmFaults(new Set(['SporClocksDiffer']), [kill])).toEqual([
    'SporClocksDiffer was raised, and no fault explains it',
  ]);
  expect(alarmFaults(new Set(['SporClocksDiffer']), [kill], [clock])).toEqual([]);
});
