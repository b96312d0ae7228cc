import { covers } from './arrows.ts';
import type { Room } from './room.ts';
import { ROOMS } from './rooms.ts';

/** Forbidden imports of a room, as an override of the linter's configuration. */
export interface LintOverride {
  files: string[];
  rules: Record<string, unknown>;
}

/** Rules that the list of rooms generates. */
export const ROOM_RULES = ['no-restricted-imports', 'typescript/no-restricted-imports'] as const;

/**
 * One lint override per room.
 *
 * Patterns match the text of an import, and show a mistake at its line. test/architecture.test.ts follows each import
 * to its file, and so finds imports that patterns miss.
 */
export function lintOverrides(rooms: readonly Room[] = ROOMS): LintOverride[] {
  return rooms.filter(({ path }) => path !== 'scripts').map((room) => overrideOf(room, rooms));
}

function overrideOf(room: Room, rooms: readonly Room[]): LintOverride {
  const { path, imports, forbidden = [], typesOnly = false } = room;
  const group = [...foreignFolders(room, rooms), '**/test/**', ...forbidden, ...(typesOnly ? ['node:*'] : [])];
  const message = typesOnly
    ? `${path} runs in a browser: it may import types, nothing else`
    : `${path} imports ${imports.length === 0 ? 'nothing of ours' : `from ${imports.join(', ')}`} (scripts/rooms/rooms.ts)`;
  const pattern = { group, ...(typesOnly ? { allowTypeImports: true } : {}), message };
  return {
    files: [filesOf(room, rooms)],
    rules: { [ROOM_RULES[typesOnly ? 1 : 0]]: ['error', { patterns: [pattern] }] },
  };
}

/** Patterns of the folders from which a room must not import. */
function foreignFolders({ path, imports, typesOnly }: Room, rooms: readonly Room[]): string[] {
  const others = rooms.filter((other) => other.path !== path && (typesOnly || !covers(imports, other.path)));
  const tops = new Set(others.map(({ path: other }) => other.split('/')[0]!));
  const own = path.split('/')[0]!;
  const patterns: string[] = [];
  for (const top of tops) {
    const inside = rooms.filter((other) => other.path === top || other.path.startsWith(`${top}/`));
    const all = top !== own && inside.every((other) => others.includes(other));
    if (all) patterns.push(`**/${top}/**`);
    else patterns.push(...others.filter((other) => other.path.startsWith(`${top}/`)).map(patternOf));
  }
  return patterns;
}

/**
 * Pattern of imports from a room.
 *
 * An import between sub-rooms of one room leaves the room's own name out, as in `../delta/*`.
 */
function patternOf({ path }: Room): string {
  return `**/${path.split('/').slice(1).join('/')}/**`;
}

function filesOf({ path }: Room, rooms: readonly Room[]): string {
  const hasRooms = rooms.some((other) => other.path.startsWith(`${path}/`));
  return hasRooms ? `${path}/*.ts` : `${path}/**/*.ts`;
}
