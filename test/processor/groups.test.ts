import fc from 'fast-check';
import { expect, test } from 'vitest';
import { groupPartitions } from '../../lake/flush/write.ts';

test('partitions are written in groups of whole sources, all of them once, none much larger than it must be', () => {
  const partition = fc.record({ s: fc.nat(20), day: fc.nat(3), rows: fc.integer({ min: 1, max: 100_000 }) });
  fc.assert(
    fc.property(fc.uniqueArray(partition, { selector: ({ s, day }) => `${s}/${day}`, maxLength: 60 }), (partitions) => {
      const groups = groupPartitions(partitions);
      expect(groups.flat()).toEqual([...partitions].sort((a, b) => a.s - b.s || a.day - b.day));
      for (const [index, group] of groups.entries()) {
        const sources = new Set(group.map(({ s }) => s));
        expect(groups.some((other, at) => at !== index && other.some(({ s }) => sources.has(s)))).toBe(false);
        // Without its last source it was small enough to take one more.
        const rest = group.filter(({ s }) => s !== group.at(-1)!.s);
        expect(rest.reduce((sum, { rows }) => sum + rows, 0)).toBeLessThan(150_000);
      }
    }),
  );
});
