import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { runInNewContext } from 'node:vm';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildPackage } from '../../scripts/build.ts';
import { CORE_BUDGET_BYTES, gzipSizes } from '../../scripts/size.ts';

const run = promisify(execFile);
const require = createRequire(import.meta.url);
const source = new URL('../..', import.meta.url).pathname;
const tsc = join(require.resolve('typescript/package.json'), '../bin/tsc');

/** Modules beside the core. */
const OPTIONAL = ['gzip', 'cookies', 'searches', 'impressions'];

let folder: string;
let packageFolder: string;
let tarball: string;
/** An empty project with the packed package installed, nothing else. */
let project: string;

/** Runs npm without the settings of whoever runs the tests. */
const npm = (args: string[], cwd: string): Promise<{ stdout: string }> =>
  run('npm', [...args, '--no-audit', '--no-fund', '--offline', '--ignore-scripts', '--loglevel', 'error'], { cwd });
const node = async (...args: string[]): Promise<string> => (await run(process.execPath, args, { cwd: project })).stdout;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spor-package-'));
  packageFolder = join(folder, 'tracker');
  for (const name of ['package.json', 'README.md', 'LICENSE', ...OPTIONAL])
    await cp(join(source, name), join(packageFolder, name), { recursive: true });
  await buildPackage(join(packageFolder, 'dist'));
  const packed = JSON.parse((await npm(['pack', '--json'], packageFolder)).stdout) as { filename: string }[];
  tarball = join(packageFolder, packed[0]!.filename);
  project = join(folder, 'project');
  await cp(new URL('./project', import.meta.url).pathname, project, { recursive: true });
  await npm(['install', '--no-save', tarball], project);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the package', () => {
  test('holds what is meant to be published, and no dependency', async () => {
    const { stdout } = await run('tar', ['-tzf', tarball]);
    expect(stdout.trim().split('\n').toSorted()).toEqual(
      [
        'LICENSE',
        'README.md',
        ...OPTIONAL.map((name) => `${name}/package.json`),
        'package.json',
        ...OPTIONAL.flatMap((name) => ['cjs', 'd.cts', 'd.ts', 'js'].map((end) => `dist/${name}.${end}`)),
        ...['index.cjs', 'index.d.cts', 'index.d.ts', 'index.js', 'spor.global.js'].map((name) => `dist/${name}`),
      ]
        .map((name) => `package/${name}`)
        .toSorted(),
    );
    const manifest = JSON.parse(await readFile(join(packageFolder, 'package.json'), 'utf8')) as Record<string, unknown>;
    expect(manifest).toMatchObject({ publishConfig: { access: 'public', provenance: true } });
    for (const kind of ['dependencies', 'peerDependencies', 'optionalDependencies'])
      expect(manifest).not.toHaveProperty(kind);
  });

  test('has nothing publint would change', async () => {
    const { messages, pkg } = await publint({ pkgDir: packageFolder, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg as Record<string, unknown>))).toEqual([]);
  });

  test('has types that are right in every way of importing it', async () => {
    const analysis = await checkPackage(createPackageFromTarballData(await readFile(tarball)));
    expect(analysis.types).toBeTruthy();
    expect('problems' in analysis ? analysis.problems : undefined).toEqual([]);
  });

  test.each(['index.js', 'index.cjs', 'spor.global.js'])('%s stays within its budget of gzip bytes', async (name) => {
    expect((await gzipSizes()).get(name)).toBeLessThanOrEqual(CORE_BUDGET_BYTES);
  });
});

describe('installed in an empty project, it', () => {
  test('type-checks, also where types of browsers and Node are absent', async () => {
    expect(await node(tsc, '-p', 'tsconfig.json')).toBe('');
    expect(await node(tsc, '-p', 'tsconfig.commonjs.json')).toBe('');
  });

  test('refuses wrong fields at compile time', async () => {
    await writeFile(
      join(project, 'wrong.ts'),
      `import { createTracker } from '@spor/tracker';
       createTracker({ endpoint: '', instrumentationKey: '' }).productClicked({ product: 'SKU-1' });`,
    );
    await expect(node(tsc, '-p', 'tsconfig.wrong.json')).rejects.toMatchObject({
      stdout: expect.stringContaining("'product' does not exist"),
    });
  });

  test.each(['use.mjs', 'use.cjs'])('sends from Node, %s', async (file) => {
    const output = JSON.parse(await node(file)) as { type: string; productId: string }[];
    expect(output).toMatchObject([{ type: 'ProductClicked', productId: 'SKU-1' }]);
  });

  test('does nothing at import, as when a server renders a page', async () => {
    const probe = `
      const touched = [];
      for (const name of ['window', 'document', 'localStorage', 'navigator', 'location', 'setTimeout', 'fetch', 'addEventListener'])
        Object.defineProperty(globalThis, name, { configurable: true, get: () => void touched.push(name) });
      await import('@spor/tracker');
      for (const name of ${JSON.stringify(OPTIONAL)}) await import('@spor/tracker/' + name);
      console.log(JSON.stringify(touched));`;
    expect(JSON.parse(await node('--input-type=module', '-e', probe))).toEqual([]);
  });

  test('serves a script tag, also one that loads late', async () => {
    const code = await readFile(join(project, 'node_modules/@spor/tracker/dist/spor.global.js'), 'utf8');
    const early: unknown[] = [];
    const late: Record<string, unknown> = { spor: [(spor: unknown) => early.push(spor)] };
    runInNewContext(code, late);
    expect(early).toEqual([late.spor]);
    const spor = late.spor as { createTracker: unknown; push: (callback: (spor: unknown) => void) => void };
    spor.push((given) => early.push(given));
    expect(early).toEqual([late.spor, late.spor]);
    expect(spor.createTracker).toBeTypeOf('function');
    runInNewContext(code, late); // Twice on a page is once too often, but no error.
    const fresh: Record<string, unknown> = {};
    runInNewContext(code, fresh);
    expect(fresh.spor).toHaveProperty('createTracker');
  });
});
