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

/** What is published: files by name, minified and self-contained. Each module is published as CommonJS too. */
const BUNDLES = [
  { file: 'index.js', entry: 'index.ts', format: 'esm' },
  { file: 'spor.global.js', entry: 'global.ts', format: 'iife' },
  { file: 'gzip.js', entry: 'gzip.ts', format: 'esm' },
  { file: 'cookies.js', entry: 'cookies.ts', format: 'esm' },
  { file: 'searches.js', entry: 'searches.ts', format: 'esm' },
  { file: 'impressions.js', entry: 'impressions.ts', format: 'esm' },
] as const;

/** The script files of the package, by name. */
export async function bundle(): Promise<Map<string, string>> {
  const files = BUNDLES.map(async ({ file, entry, format }): Promise<[string, string][]> => {
    const { outputFiles } = await build({
      entryPoints: [source(entry)],
      bundle: true,
      minifySyntax: true,
      format,
      target: TARGET,
      mangleProps: new RegExp(`^(${INTERNAL.join('|')})$`),
      legalComments: 'none',
      tsconfigRaw: '{}',
      write: false,
    });
    // A second minifier finds about 4 % more, and writes constants where they are used if they are declared as such.
    const text = outputFiles[0]!.text.replaceAll(/\bvar ([A-Z][A-Z_]+) = /g, 'const $1 = ');
    const { code, errors } = await minify(file, text, { compress: { target: TARGET } });
    if (errors.length > 0) throw new Error(`${file} cannot be minified: ${errors[0]!.message}`);
    return format === 'esm'
      ? [
          [file, code],
          [file.replace(/\.js$/, '.cjs'), commonJs(code)],
        ]
      : [[file, code]];
  });
  return new Map((await Promise.all(files)).flat());
}

/**
 * Turn a minified ES module without imports into CommonJS. Pure.
 *
 * esbuild's own form carries 200 bytes of helpers for live bindings. These exports never change.
 * @throws Error if the module does not end with one list of exports
 */
function commonJs(module: string): string {
  const found = /export\{([\w$, ]+)\};?\s*$/.exec(module);
  if (!found) throw new Error('the module does not end with its exports');
  const exported = found[1]!.split(',').map((one) => {
    const [local, , name = local] = one.split(' ');
    return `exports.${name}=${local}`;
  });
  return `"use strict";${module.slice(0, found.index)}${['exports.__esModule=!0', ...exported].join(',')};`;
}
