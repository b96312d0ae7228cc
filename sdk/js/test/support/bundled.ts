import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundle } from '../../scripts/bundle.ts';
import type { createTracker } from '../../src/tracker.ts';

/** `createTracker` out of the minified bundle, as shops load it. */
export async function bundledCreateTracker(): Promise<typeof createTracker> {
  const folder = await mkdtemp(join(tmpdir(), 'spor-bundle-'));
  try {
    const file = join(folder, 'index.mjs');
    await writeFile(file, (await bundle()).get('index.js')!);
    const module = (await import(pathToFileURL(file).href)) as { createTracker: typeof createTracker };
    return module.createTracker;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
