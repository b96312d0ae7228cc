import { covers } from './arrows.ts';
import { ROOMS, type Room } from './rooms.ts';

/** What must not be imported in a room, as an override of the linter's configuration. */
export interface LintOverride {
  files: string[];
  rules: Record<string, unknown>;
}

/** Rules that are made from the list of rooms. */
export const ROOM_RULES = ['no-restricted-imports', 'typescript/no-restricted-imports'] as const;

/**
 * One override a room. Patterns match the text of an import: they show a mistake where it is typed. That no import goes
 * round them is for test/architecture.test.ts to say, which follows each to its file.
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

/** Patterns of the folders that a room must not import from. */
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

/** An import between sub-rooms of one room leaves the room's own name out, as in `../delta/*`. */
function patternOf({ path }: Room): string {
  return `**/${path.split('/').slice(1).join('/')}/**`;
}

function filesOf({ path }: Room, rooms: readonly Room[]): string {
  const hasRooms = rooms.some((other) => other.path.startsWith(`${path}/`));
  return hasRooms ? `${path}/*.ts` : `${path}/**/*.ts`;
}
