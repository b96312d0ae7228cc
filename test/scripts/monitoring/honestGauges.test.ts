import { expect, test } from 'vitest';
import { Gauge, Registry } from 'prom-client';
import { DueMerges } from '../../../lake/maintenance/dueMerges.ts';
import { createProcessorMetrics } from '../../../processor/metrics.ts';
import { pendingSeconds } from '../../../processor/shards/shardMaintenance.ts';
import { createMartMetrics } from '../../../query/marts/metrics.ts';
import { replicasBehind } from '../../../stream/quorum.ts';

const AT = Date.parse('2026-11-30T12:00:00Z');
const state = { firstSequence: 5, lastSequence: 20, firstMs: AT - 90_000, atMs: AT };

test('a shard that moved away leaves no gauge behind but that it is not owned', async () => {
  const registry = new Registry();
  const metrics = createProcessorMetrics(registry, 4);
  const gauges = Object.values(metrics)
    .filter((metric) => metric instanceof Gauge)
    .filter((gauge) => (gauge as unknown as { labelNames: string[] }).labelNames.includes('shard'));
  expect(gauges.length).toBeGreaterThan(5);
  for (const gauge of gauges) gauge.set({ shard: '2' }, 7);
  metrics.released(2);
  const left = (await registry.metrics()).split('\n').filter((line) => line.includes('shard="2"'));
  expect(left).toEqual(['spor_processor_shard_owned{shard="2"} 0']);
});

test.each([
  ['nothing waits', { sequence: 20, timeMs: AT - 3_600_000 }, Infinity, 0],
  ['the wait begins at the last committed message', { sequence: 12, timeMs: AT - 40_000 }, Infinity, 40],
  ['after a rest no wait is longer than since the rest', { sequence: 19, timeMs: AT - 3_600_000 }, 2_000, 2],
  ['nothing was ever committed: the first message waits', { sequence: 0, timeMs: undefined }, Infinity, 90],
  ['the time of the committed message is unknown', { sequence: 12, timeMs: undefined }, Infinity, 90],
  ['trimmed beyond the committed position', { sequence: 3, timeMs: AT - 3_600_000 }, Infinity, 90],
])('how long events wait: %s', (_, floor, sinceRestMs, seconds) => {
  expect(pendingSeconds(state, floor, sinceRestMs)).toBe(seconds);
});

test('a wait is never negative, and unknown without the clock of the stream', () => {
  expect(pendingSeconds({ ...state, atMs: AT - 3_600_000 }, { sequence: 12, timeMs: AT }, Infinity)).toBe(0);
  expect(pendingSeconds({ ...state, atMs: NaN }, { sequence: 12, timeMs: AT }, Infinity)).toBe(0);
});

test('replicas that are away, silent, far behind or missing count as behind', () => {
  const replica = { name: 'b', current: true, active: 1e6 };
  const of = (...replicas: object[]): number =>
    replicasBehind({ cluster: { leader: 'a', replicas }, config: { num_replicas: 3 } } as never);
  expect(of(replica, { ...replica, current: false, lag: 3 })).toBe(0);
  expect(of(replica, { ...replica, lag: 50_000 })).toBe(1);
  expect(of({ ...replica, offline: true }, { ...replica, active: 3e9 })).toBe(2);
  expect(of(replica)).toBe(1);
  expect(replicasBehind({ config: { num_replicas: 1 } } as never)).toBe(0);
});

test('merges of tenants of another processor are not due here', () => {
  const due = new DueMerges();
  due.note('one', 'events', 3);
  due.note('one', 'quarantine', 1);
  due.note('two', 'events', 5);
  expect(due.sum(['one', 'two', 'three'])).toBe(9);
  expect(due.sum(['two'])).toBe(5);
  expect(due.sum(['one', 'two'])).toBe(5);
});

test('marts fail from the first failure of a tenant to its next success', async () => {
  const registry = new Registry();
  let nowMs = 0;
  const marts = createMartMetrics(registry, () => nowMs);
  const failing = async (): Promise<string | undefined> =>
    /^spor_lake_marts_failing_seconds (\S+)$/m.exec(await registry.metrics())?.[1];
  expect(await registry.metrics()).toContain('spor_lake_mart_refreshes_total{outcome="failed"} 0');
  marts.refreshed('one', new Error('no memory'));
  nowMs = 60_000;
  marts.refreshed('one', new Error('no memory'));
  marts.refreshed('two', []);
  expect(await failing()).toBe('60');
  marts.refreshed('one', []);
  expect(await failing()).toBe('0');
});
