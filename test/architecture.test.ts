import { spawnSync } from 'node:child_process';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { exportedNames, exportsOf } from '../scripts/rooms/exports.ts';
import { codeFiles, linesOf, importsOf, type Import } from '../scripts/rooms/imports.ts';
import { covers, roomOf } from '../scripts/rooms/arrows.ts';
import { lintOverrides } from '../scripts/rooms/lint.ts';
import { ROOMS } from '../scripts/rooms/rooms.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FOLDERS = [
  'schemas',
  'runtime',
  'stream',
  'lake',
  'ingest',
  'processor',
  'query',
  'console',
  'cli',
  'scripts',
  'sdk/js/src',
];
const FILES = await codeFiles(ROOT, FOLDERS);
const FILES_OF_ALL_KINDS = await codeFiles(ROOT, [...FOLDERS, 'sdk'], /\.(ts|mjs|sql|css|cs)$/);
const IMPORTS = FILES.flatMap((file) => importsOf(ROOT, file));

function pathOf(file: string): string {
  return roomOf(file)?.path ?? `${posix.dirname(file)} (not in the list)`;
}

/** A circle of the graph, as the nodes on the way round; undefined where there is none. */
function circleOf(arrows: ReadonlyMap<string, ReadonlySet<string>>): string[] | undefined {
  const done = new Set<string>();
  const walk = (node: string, way: readonly string[]): string[] | undefined => {
    if (way.includes(node)) return [...way.slice(way.indexOf(node)), node];
    if (done.has(node)) return undefined;
    for (const next of arrows.get(node) ?? []) {
      const circle = walk(next, [...way, node]);
      if (circle) return circle;
    }
    done.add(node);
    return undefined;
  };
  for (const node of arrows.keys()) {
    const circle = walk(node, []);
    if (circle) return circle;
  }
  return undefined;
}

function graph(pairs: Iterable<readonly [string, string]>): Map<string, Set<string>> {
  const arrows = new Map<string, Set<string>>();
  for (const [from, to] of pairs) if (from !== to) arrows.set(from, (arrows.get(from) ?? new Set()).add(to));
  return arrows;
}

/** The two sibling folders that an import links: where the ways to both files part. */
function siblings({ from, to }: Import): readonly [string, string] {
  const one = posix.dirname(from).split('/');
  const other = posix.dirname(to).split('/');
  let shared = 0;
  while (shared < Math.min(one.length, other.length) && one[shared] === other[shared]) shared++;
  return [one.slice(0, shared + 1).join('/'), other.slice(0, shared + 1).join('/')];
}

describe('the rooms', () => {
  it('hold every file of code', () => {
    expect(FILES.length).toBeGreaterThan(300);
    expect(FILES.filter((file) => !roomOf(file))).toEqual([]);
    for (const { path } of ROOMS)
      expect(
        FILES.some((file) => pathOf(file) === path),
        `${path} has files`,
      ).toBe(true);
  });

  it('import only what the list allows', () => {
    const wrong = IMPORTS.filter(({ from, to }) => {
      const room = roomOf(from);
      return !room || (pathOf(to) !== room.path && !covers(room.imports, pathOf(to)));
    });
    expect(wrong.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  });

  it('use every arrow of the list', () => {
    const unused = ROOMS.flatMap(({ path, imports }) =>
      imports
        .filter((name) => !IMPORTS.some(({ from, to }) => pathOf(from) === path && covers([name], pathOf(to))))
        .map((name) => `${path} → ${name}`),
    );
    expect(unused).toEqual([]);
  });

  it('stand in an order in which none imports from one further down', () => {
    const upward = ROOMS.flatMap(({ path, imports }, index) =>
      ROOMS.slice(index + 1)
        .filter((later) => covers(imports, later.path))
        .map((later) => `${path} → ${later.path}`),
    );
    expect(upward).toEqual([]);
  });

  it('hold no circle of folders', () => {
    expect(circleOf(graph(IMPORTS.map(siblings).filter(isBetweenFolders)))).toBeUndefined();
    expect(circleOf(graph(IMPORTS.map(({ from, to }) => [pathOf(from), pathOf(to)] as const)))).toBeUndefined();
  });

  it('are small: none holds more than a fifth of the lines', () => {
    const lines = new Map<string, number>();
    for (const file of FILES_OF_ALL_KINDS) {
      const room = roomOf(file)?.path ?? file.split('/')[0]!;
      lines.set(room, (lines.get(room) ?? 0) + linesOf(ROOT, file));
    }
    const total = [...lines.values()].reduce((sum, count) => sum + count, 0);
    expect(total).toBeGreaterThan(30_000);
    expect([...lines].filter(([, count]) => count > total / 5)).toEqual([]);
  });

  it('are what the linter and the pictures say', () => {
    const { status, stderr } = spawnSync(process.execPath, ['scripts/rooms/main.ts', '--check'], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
  });
});

/** A folder and a folder within it are one room: files at its top wire what lies below. */
function isBetweenFolders([one, other]: readonly [string, string]): boolean {
  return one !== other && !one.startsWith(`${other}/`) && !other.startsWith(`${one}/`);
}

/** Names that two files export, each with its reason. */
const EXPORTED_TWICE = new Set([
  // One list of fail points per process, to be merged.
  'FailPoint',
  'Reach',
  'armFailPoint',
  'parseFailPoint',
  // The page in the browser imports types only.
  'utcDay',
]);

describe('the exported names', () => {
  it('are one thing each: no two files export the same', () => {
    const files = new Map<string, string[]>();
    // The SDK is a package of its own, with names that its users see.
    for (const file of FILES.filter((one) => !one.startsWith('sdk/')))
      for (const name of exportsOf(ROOT, file)) files.set(name, [...(files.get(name) ?? []), file]);
    expect(files.size).toBeGreaterThan(500);
    const twice = [...files].filter(([name, { length }]) => length > 1 && !EXPORTED_TWICE.has(name));
    expect(twice.map(([name, where]) => `${name}: ${where.join(', ')}`)).toEqual([]);
  });

  it('are found however they are exported', () => {
    const text = `
export const ONE = 1;
export async function* two() {}
export abstract class Three {}
export interface Four<T> {}
export type Five = string;
export type { Six, Seven as Eight } from './x.ts';
export { nine };
const TEN = 'export';
`;
    expect(exportedNames(text)).toEqual(['ONE', 'two', 'Three', 'Four', 'Five', 'Six', 'Eight', 'nine']);
  });
});

describe('the lint rules', () => {
  const groups = new Map(
    lintOverrides().map(({ files, rules }) => {
      const [rule] = Object.values(rules) as [string, { patterns: { group: string[] }[] }][];
      return [files[0]!.replace(/\/\*.*$/, ''), rule![1].patterns[0]!.group] as const;
    }),
  );

  it.each([...groups.keys()])('of %s refuse each foreign room, and no other', (path) => {
    const room = ROOMS.find((one) => one.path === path)!;
    for (const other of ROOMS.filter((one) => one !== room && one.path.includes('/'))) {
      const specifier = `${posix.relative(`${path}/folder`, other.path)}/file.ts`;
      const refused = groups.get(path)!.some((pattern) => specifier.includes(pattern.replaceAll('**', '')));
      expect([specifier, refused]).toEqual([specifier, room.typesOnly || !covers(room.imports, other.path)]);
    }
  });
});

describe('the checks themselves', () => {
  it('find a circle', () => {
    const arrows = graph([
      ['a', 'b'],
      ['b', 'c'],
      ['c', 'b'],
    ]);
    expect(circleOf(arrows)).toEqual(['b', 'c', 'b']);
    expect(circleOf(graph([['a', 'b']]))).toBeUndefined();
  });

  it('see a room that is not in the list', () => {
    expect(roomOf('lake/delta/log.ts')?.path).toBe('lake/delta');
    expect(roomOf('lake/errors.ts')?.path).toBe('lake');
    expect(roomOf('lake/shed/log.ts')).toBeUndefined();
    expect(roomOf('shed/log.ts')).toBeUndefined();
    expect(roomOf('query/sandbox/worker/pool.ts')?.path).toBe('query/sandbox');
  });

  it('know which rooms an arrow covers', () => {
    expect(covers(['lake'], 'lake/delta')).toBe(false);
    expect(covers(['lake/*'], 'lake/delta')).toBe(true);
    expect(covers(['lake/*'], 'lake')).toBe(true);
    expect(covers(['lake/*'], 'lakeside')).toBe(false);
  });
});
