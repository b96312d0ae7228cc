import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const DECLARED =
  /^export (?:declare |abstract |async )*(?:enum|function|class|const|let|interface|type)\b\s*\*?\s*([A-Za-z_$][\w$]*)/gm;
const LISTED = /^export (?:type )?\{([^}]*)\}/gm;

/** The names that a file exports: declared there or passed on. */
export function exportsOf(root: string, file: string): string[] {
  return exportedNames(readFileSync(join(root, file), 'utf8'));
}

/** Pure: the names that a file's text exports. */
export function exportedNames(text: string): string[] {
  const declared = [...text.matchAll(DECLARED)].map(([, name]) => name!);
  const listed = [...text.matchAll(LISTED)].flatMap(([, names]) => names!.split(','));
  return [...declared, ...listed.map((name) => name.split(/\s/).filter(Boolean).at(-1)!).filter(Boolean)];
}
