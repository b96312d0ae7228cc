import { build } from 'esbuild';

/**
 * Members that never leave the bundle, shortened in it. None may share its name with a field on the wire, an option, a
 * method of the API or anything of the host; the conformance cases run against the bundle to prove it.
 */
const INTERNAL = [
  'allow',
  'begin',
  'busy',
  'bytes',
  'clear',
  'clock',
  'device',
  'drop',
  'emit',
  'host',
  'erase',
  'hold',
  'items',
  'leave',
  'line',
  'lock',
  'name',
  'names',
  'notice',
  'post',
  'queue',
  'read',
  'refresh',
  'release',
  'remove',
  'retryAfter',
  'room',
  'settings',
  'stored',
  'transport',
  'tried',
  'write',
];

const source = (name: string): string => new URL(`../src/${name}`, import.meta.url).pathname;

/** What is published: files by name, minified and self-contained. */
const BUNDLES = [
  { file: 'index.js', entry: 'index.ts', format: 'esm' },
  { file: 'index.cjs', entry: 'index.ts', format: 'cjs' },
  { file: 'spor.global.js', entry: 'global.ts', format: 'iife' },
  { file: 'gzip.js', entry: 'gzip.ts', format: 'esm' },
  { file: 'gzip.cjs', entry: 'gzip.ts', format: 'cjs' },
] as const;

/** The script files of the package, by name. */
export async function bundle(): Promise<Map<string, string>> {
  const texts = BUNDLES.map(async ({ file, entry, format }): Promise<[string, string]> => {
    const { outputFiles } = await build({
      entryPoints: [source(entry)],
      bundle: true,
      minify: true,
      format,
      target: 'es2021',
      mangleProps: new RegExp(`^(${INTERNAL.join('|')})$`),
      legalComments: 'none',
      tsconfigRaw: '{}',
      write: false,
    });
    return [file, outputFiles[0]!.text];
  });
  return new Map(await Promise.all(texts));
}
