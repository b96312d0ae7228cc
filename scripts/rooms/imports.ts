import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, posix } from 'node:path';

/** A file that imports another; both paths are from the root of the repository. */
export interface Import {
  from: string;
  to: string;
}

const RELATIVE_IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*'(\.{1,2}\/[^']+)'/g;

const OTHERS_WORK = /(^|\/)(node_modules|dist|bin|obj|artifacts|test|generated|Generated)\//;

/** Code files below folders, without tests, generated files, dependencies and builds. */
export async function codeFiles(
  root: string,
  folders: readonly string[],
  kinds: RegExp = /\.(ts|mjs)$/,
): Promise<string[]> {
  const found = await Promise.all(
    folders.map(async (folder) => {
      const entries = await readdir(join(root, folder), { recursive: true });
      return entries.map((name) => posix.join(folder, name.replaceAll('\\', '/')));
    }),
  );
  return [...new Set(found.flat())].filter((file) => kinds.test(file) && !OTHERS_WORK.test(file));
}

export function linesOf(root: string, file: string): number {
  return readFileSync(join(root, file), 'utf8').split('\n').length;
}

/** The imports between the repository's own files, with `import()` and types. */
export function importsOf(root: string, file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(RELATIVE_IMPORT)].map(([, path]) => ({
    from: file,
    to: posix.join(posix.dirname(file), path!),
  }));
}
