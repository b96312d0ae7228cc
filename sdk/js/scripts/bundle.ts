import { build } from 'esbuild';
import { minify } from 'rolldown/utils';

/**
 * Members that never leave the bundle, shortened in it. None may share its name with a field on the wire, an option, a
 * method of the API or anything of the host; the conformance cases run against the bundle to prove it.
 */
const INTERNAL = [
  'allow',
  'attempt',
  'begin',
  'busy',
  'bytes',
  'clear',
  'clock',
  'device',
  'drop',
  'emit',
  'hold',
  'host',
  'items',
  'key',
  'leave',
  'line',
  'load',
  'lock',
  'name',
  'names',
  'notice',
  'post',
  'queue',
  'refresh',
  'release',
  'remove',
  'retryAfter',
  'room',
  'save',
  'say',
  'settings',
  'stored',
  'transport',
  'tried',
  'wipe',
];

const TARGET = 'es2021';

const source = (name: string): string => new URL(`../src/${name}`, import.meta.url).pathname;

/** What is published: files by name, minified and self-contained. */
const BUNDLES = [
  { file: 'index.js', entry: 'index.ts', format: 'esm' },
  { file: 'index.cjs', entry: 'index.ts', format: 'cjs' },
  { file: 'spor.global.js', entry: 'global.ts', format: 'iife' },
  { file: 'gzip.js', entry: 'gzip.ts', format: 'esm' },
  { file: 'gzip.cjs', entry: 'gzip.ts', format: 'cjs' },
  { file: 'cookies.js', entry: 'cookies.ts', format: 'esm' },
  { file: 'cookies.cjs', entry: 'cookies.ts', format: 'cjs' },
  { file: 'searches.js', entry: 'searches.ts', format: 'esm' },
  { file: 'searches.cjs', entry: 'searches.ts', format: 'cjs' },
] as const;

/** The script files of the package, by name. */
export async function bundle(): Promise<Map<string, string>> {
  const texts = BUNDLES.map(async ({ file, entry, format }): Promise<[string, string]> => {
    const { outputFiles } = await build({
      entryPoints: [source(entry)],
      bundle: true,
      minify: true,
      format,
      target: TARGET,
      mangleProps: new RegExp(`^(${INTERNAL.join('|')})$`),
      legalComments: 'none',
      tsconfigRaw: '{}',
      write: false,
    });
    // A second minifier finds about 4 % more.
    const { code, errors } = await minify(file, outputFiles[0]!.text, { compress: { target: TARGET } });
    if (errors.length > 0) throw new Error(`${file} cannot be minified: ${errors[0]!.message}`);
    return [file, code];
  });
  return new Map(await Promise.all(texts));
}
