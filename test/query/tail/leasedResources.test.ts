import { expect, test } from 'vitest';
import { LeasedResources } from '../../../query/tail/leasedResources.ts';

function leasesOf(options: { most: number; idleMs: number }) {
  const closed: string[] = [];
  const leases = new LeasedResources<string>({ ...options, close: (value) => closed.push(value) });
  let made = 0;
  const take = (name: string, fits = () => true) =>
    leases.take(name, { make: () => `${name}${++made}`, fits: () => fits() });
  return { leases, closed, take };
}

test('what is in use is not closed, however many others come', () => {
  const { closed, take } = leasesOf({ most: 2, idleMs: 60_000 });
  const used = take('a');
  for (const name of ['b', 'c', 'd', 'e']) take(name).end();
  expect(closed).toEqual(['b2', 'c3']);
  const again = take('a');
  expect(again.value).toBe('a1');
  used.end();
  again.end();
  for (const name of ['f', 'g']) take(name).end();
  expect(closed).toContain('a1');
});

test('what is idle is closed, what is used for long is not', () => {
  const { leases, closed, take } = leasesOf({ most: 10, idleMs: 0 });
  const used = take('a');
  leases.sweep();
  expect(closed).toEqual([]);
  used.end();
  expect(closed).toEqual(['a1']);
});

test('one that no longer fits is replaced, and closed with its last lease', () => {
  const { leases, closed, take } = leasesOf({ most: 10, idleMs: 60_000 });
  const first = take('a');
  const second = take('a', () => false);
  expect([first.value, second.value, closed]).toEqual(['a1', 'a2', []]);
  first.end();
  expect(closed).toEqual(['a1']);
  expect(leases.drain()).toEqual(['a2']);
});
