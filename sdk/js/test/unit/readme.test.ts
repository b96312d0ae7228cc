import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { DEFAULTS } from '../../src/defaults.ts';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const section = read('../../README.md').split('\n## Options\n')[1]!.split('\n## ')[0]!;
const rows = new Map(
  [...section.matchAll(/^\| `(\w+)` +\| ([^|]*)\|/gm)].map(([, name, fallback]) => [name!, fallback!.trim()]),
);

test('the table of options names each of them', () => {
  const declared = read('../../src/api.ts').split('export interface TrackerOptions {')[1]!.split('\n}\n')[0]!;
  const names = [...declared.matchAll(/^ {2}(\w+)\??:/gm)].map(([, name]) => name!);
  expect([...rows.keys()].toSorted()).toEqual(names.toSorted());
});

test.each(Object.entries(DEFAULTS))('the table gives the default of %s', (name, value) => {
  expect(JSON.parse(rows.get(name)!.replaceAll(/[`_]/g, '') || '""')).toEqual(value);
});
