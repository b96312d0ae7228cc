import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const NOT_OURS = new Set([
  'node_modules',
  'dist',
  'bin',
  'obj',
  'artifacts',
  '.git',
  '.spor',
  'generated',
  'Generated',
]);

/** Files of the repository below a folder, as paths from its root. */
function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return NOT_OURS.has(entry.name) ? [] : filesBelow(posix.join(folder, entry.name));
    return [posix.join(folder, entry.name)];
  });
}

const FILES = filesBelow('.');
const PATHS = new Set(FILES.flatMap((file) => ancestors(file).concat(file)));
for (const generated of ['schemas/generated', 'sdk/dotnet/src/Spor.Tracking/Generated'])
  for (const name of readdirSync(join(ROOT, generated))) PATHS.add(generated).add(`${generated}/${name}`);
const NAMES = new Set([...PATHS].map((path) => posix.basename(path)));
const TOP = new Set(FILES.filter((file) => file.includes('/')).map((file) => file.split('/')[0]!));

const PAGES = FILES.filter((file) => file.endsWith('.md'));
/** The changelog names paths as they were. */
const PAGES_OF_TODAY = PAGES.filter((file) => file !== 'CHANGELOG.md');
const CODE = FILES.filter((file) => /\.(ts|mjs|sql|cs)$/.test(file) && file !== 'test/docs.test.ts');

/** The folders that hold a file, the nearest first, without the root. */
function ancestors(file: string): string[] {
  const folder = posix.dirname(file);
  return folder === '.' ? [] : [folder, ...ancestors(folder)];
}

function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

/** Comments of TypeScript, C# or SQL, a line each. */
function commentsOf(file: string): string {
  const text = read(file);
  if (file.endsWith('.sql')) return [...text.matchAll(/(?<=^|\s)--.*$/gm)].join('\n');
  return [...text.matchAll(/\/\*\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm)].join('\n');
}

const URL_TEXT = /[a-z]+:\/\/[^\s)`']+/g;
const FILE_WORD = /(?<![\w/.<>=*…$}-])(?:\.{0,2}\/)?[\w@.-]+(?:\/[\w.-]+)*\.(?:ts|md|sql|mjs)(?![\w*])/g;
const FENCE = /^```[\s\S]*?^```/gm;
const QUOTED_PATH = /(?<=`)[\w-]+\/[\w./-]*(?=`)/g;

/**
 * Paths that a text names: words that end like a file of ours, and quoted paths from a folder at the top.
 * A bare name in an example of commands is a file of the reader's own.
 */
function pathsIn(text: string): string[] {
  const bare = text.replace(FENCE, (fence) => fence.replace(/(?<![\w/.-])[\w.-]+(?=\s)/g, '')).replace(URL_TEXT, '');
  const quoted = [...bare.matchAll(QUOTED_PATH)].map(([path]) => path).filter((path) => TOP.has(path.split('/')[0]!));
  return [...new Set([...[...bare.matchAll(FILE_WORD)].map(([path]) => path), ...quoted])];
}

/**
 * Whether a path named in `file` exists.
 *
 * The path starts at the root, the file's folder or a folder above it. A page may name a file without its folder, as in
 * "`revenue.sql` is an example".
 */
function exists(path: string, file: string): boolean {
  const from = ['.', ...ancestors(file)].map((folder) => posix.join(folder, path).replace(/\/$/, ''));
  return from.some((one) => PATHS.has(one)) || (file.endsWith('.md') && NAMES.has(path));
}

/** Anchors that GitHub makes of a page's headings. */
function anchorsOf(page: string): string[] {
  const headings = withoutFences(page).matchAll(/^#{1,6}\s+(.*)$/gm);
  const seen = new Map<string, number>();
  return [...headings].map(([, heading]) => {
    const slug = heading!
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-');
    const times = seen.get(slug) ?? 0;
    seen.set(slug, times + 1);
    return times ? `${slug}-${times}` : slug;
  });
}

function withoutFences(text: string): string {
  return text.replace(FENCE, '');
}

/** The fault of a markdown link, or undefined. */
function linkFault(target: string, page: string): string | undefined {
  if (/^[a-z]+:/.test(target)) return undefined;
  const [path, anchor] = target.split('#') as [string, string?];
  const file = path ? posix.join(posix.dirname(page), path).replace(/\/$/, '') : page;
  if (!PATHS.has(file)) return `${target}: no such file`;
  return anchor === undefined || anchorsOf(read(file)).includes(anchor) ? undefined : `${target}: no such heading`;
}

function scriptsOf(manifest: string): string[] {
  return Object.keys((JSON.parse(read(manifest)) as { scripts: Record<string, string> }).scripts);
}

const SCRIPTS = scriptsOf('package.json');
const SDK_SCRIPTS = scriptsOf('sdk/js/package.json');

/** Scripts of `npm run` in a text that no package has. */
function unknownScripts(text: string, file: string): string[] {
  return [...text.matchAll(/npm run (?:-s )?([\w:-]+)([^`\n&]*)/g)]
    .filter(([, name, rest]) => {
      const ofSdk = rest!.includes('-w sdk/js') || file.startsWith('sdk/js/');
      return !SCRIPTS.includes(name!) && !(ofSdk && SDK_SCRIPTS.includes(name!));
    })
    .map(([, name]) => name!);
}

const COMMANDS = [
  'help',
  ...[...read('cli/commands.ts').matchAll(/^ {2}(\w+): \{(?=\s+summary:)/gm)].map(([, name]) => name!),
];

/** Commands of `spor` in a text that it does not have. */
function unknownCommands(text: string): string[] {
  return [...text.matchAll(/(?:npx |`)spor ([a-z]\w*)/g)]
    .map(([, name]) => name!)
    .filter((name) => !COMMANDS.includes(name));
}

describe('pages and comments', () => {
  it.each([
    ['pages', PAGES_OF_TODAY, read],
    ['comments', CODE, commentsOf],
  ] as const)('%s name only paths, scripts and commands that exist', (_, files, textOf) => {
    const faults = files.flatMap((file) => {
      const text = textOf(file);
      const wrong = [
        ...pathsIn(text).filter((path) => !exists(path, file)),
        ...unknownScripts(text, file).map((name) => `npm run ${name}`),
        ...unknownCommands(text).map((name) => `spor ${name}`),
      ];
      return wrong.map((what) => `${file}: ${what}`);
    });
    expect(faults).toEqual([]);
  });

  it('link only to pages and headings that exist', () => {
    const faults = PAGES.flatMap((page) =>
      [...withoutFences(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target]) => {
        const fault = linkFault(target!, page);
        return fault === undefined ? [] : [`${page}: ${fault}`];
      }),
    );
    expect(faults).toEqual([]);
  });
});

describe('the checks themselves', () => {
  it('see paths in text', () => {
    expect(pathsIn('As lake/delta/log.ts does, see `docs/testing.md` and https://host/x.md.')).toEqual([
      'lake/delta/log.ts',
      'docs/testing.md',
    ]);
    expect(pathsIn('`lake/delta/`, `events/tenant=x`, `cli/<name>.ts`, `*.test.ts`')).toEqual(['lake/delta/']);
  });

  it('tell a wrong path from a right one', () => {
    expect(exists('lake/delta/log.ts', 'README.md')).toBe(true);
    expect(exists('delta/log.ts', 'lake/window/spool.ts')).toBe(true);
    expect(exists('log.ts', 'lake/delta/table.ts')).toBe(true);
    expect(exists('log.ts', 'lake/window/spool.ts')).toBe(false);
    expect(exists('lake/accounts/open.ts', 'ARCHITECTURE.md')).toBe(false);
  });

  it('tell a wrong link, script or command from a right one', () => {
    expect(linkFault('docs/testing.md#when-a-part-dies', 'README.md')).toBeUndefined();
    expect(linkFault('docs/testing.md#when-all-is-well', 'README.md')).toMatch('no such heading');
    expect(linkFault('testing.md', 'README.md')).toMatch('no such file');
    expect(unknownScripts('`npm run bench -- ingest` and `npm run keep-house`', 'README.md')).toEqual(['keep-house']);
    expect(COMMANDS).toContain('version');
    expect(unknownCommands('npx spor sql, npx spor redo')).toEqual(['redo']);
  });
});
