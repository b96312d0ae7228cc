import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const project = new URL('..', import.meta.url).pathname;
const tsc = join(createRequire(import.meta.url).resolve('typescript/package.json'), '../bin/tsc');

/** In the order they are put together; event types come from the schemas. */
const PARTS = ['schemas/generated/events', 'sdk/js/src/api', 'sdk/js/src/host', 'sdk/js/src/tracker'];
/** Modules beside the core, which refer to the types of its API at most. */
const OPTIONAL = ['gzip', 'cookies', 'searches', 'impressions'];
const LOCAL_IMPORT = /^(import|export) [^;]* from '\.[^']*';\n/gm;

/**
 * The package's type declarations, by file name.
 *
 * The modules of the core are put together into one, so that nothing refers to files outside the package.
 */
export async function declarations(): Promise<Map<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'spor-types-'));
  try {
    const options = [
      '--noEmit',
      'false',
      '--declaration',
      '--emitDeclarationOnly',
      '--rootDir',
      join(project, '../..'),
    ];
    await run(process.execPath, [tsc, '-p', project, ...options, '--outDir', folder]);
    const read = (part: string): Promise<string> => readFile(join(folder, `${part}.d.ts`), 'utf8');
    const parts = await Promise.all(PARTS.map(read));
    const index = parts.join('').replace(LOCAL_IMPORT, '');
    const files = new Map([
      ['index.d.ts', index],
      ['index.d.cts', index],
    ]);
    for (const name of OPTIONAL) {
      const text = await read(`sdk/js/src/${name}`);
      for (const [types, script] of [
        ['ts', 'js'],
        ['cts', 'cjs'],
      ])
        files.set(`${name}.d.${types}`, text.replace(/'\.\/api\.\w+'/, `'./index.${script}'`));
    }
    return files;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
