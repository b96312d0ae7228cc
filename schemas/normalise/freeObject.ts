import { LIMITS } from '../limits.ts';
import { pointerToken } from '../pointer.ts';
import type { CorrectionNotes } from './correction.ts';
import { isRawNumber } from './exactNumber.ts';
import { isStorableText, repairedText } from './text.ts';

interface FreeWalk {
  notes: CorrectionNotes;
  damaged: boolean;
}

/**
 * The free object "properties", without members beyond its limits.
 * Members beyond `most` and values nested too deeply are left out. Texts and names are repaired. Numbers stay as they are.
 */
export function normaliseFree(value: object, most = Infinity, path: string, walk: FreeWalk): object {
  const members = Object.entries(value);
  if (members.length > most) walk.notes.note('shortened', path);
  return Object.fromEntries(freeMembers(members.slice(0, most), LIMITS.propertiesDepth - 1, path, walk));
}

function freeMembers(members: [string, unknown][], depth: number, path: string, walk: FreeWalk): [string, unknown][] {
  return members.flatMap(([name, value]): [string, unknown][] => {
    const at = `${path}/${pointerToken(name)}`;
    const isNested = typeof value === 'object' && value !== null && !isRawNumber(value);
    if (isNested && depth === 0) {
      walk.notes.note('left_out', at);
      return [];
    }
    return [[freeText(name, at, walk), freeValue(value, depth, at, walk)]];
  });
}

function freeValue(value: unknown, depth: number, path: string, walk: FreeWalk): unknown {
  if (typeof value === 'string') return freeText(value, path, walk);
  if (typeof value !== 'object' || value === null || isRawNumber(value)) return value;
  const members = freeMembers(Object.entries(value), depth - 1, path, walk);
  return Array.isArray(value) ? members.map(([, element]) => element) : Object.fromEntries(members);
}

function freeText(text: string, path: string, { notes, damaged }: FreeWalk): string {
  if (isStorableText(text) && !(damaged && text.includes('\uFFFD'))) return text;
  notes.note('repaired', path);
  return repairedText(text);
}
