import type { Room } from './room.ts';
import { ROOMS } from './rooms.ts';

const NAME_WIDTH = 15;

/**
 * The rooms as a text block: name, what it holds, what it imports.
 * @param depth 1 shows the rooms at the top of the repository, 2 their sub-rooms as well.
 */
export function picture(depth: 1 | 2, rooms: readonly Room[] = ROOMS): string {
  const tops = rooms.filter(({ path }) => !path.includes('/'));
  const lines = tops.flatMap((top) => {
    const inside = depth === 1 ? [] : rooms.filter(({ path }) => path.startsWith(`${top.path}/`));
    return [top, ...inside].map((room) => line(room, top));
  });
  return ['```', ...lines, '```'].join('\n');
}

function line({ path, holds, imports, typesOnly }: Room, top: Room): string {
  const name = path === top.path ? `${path}/` : `  ${path.slice(top.path.length + 1)}/`;
  const text = `${name.padEnd(NAME_WIDTH)}${holds.replaceAll('`', '')}`;
  if (imports.length === 0) return text;
  return `${text} → ${typesOnly ? 'types of ' : ''}${shortNames(imports, top).join(' ')}`;
}

/** Names of imported rooms: own sub-rooms by name, others in braces after their room. */
function shortNames(imports: readonly string[], { path }: Room): string[] {
  const names: string[] = [];
  const others = new Map<string, string[]>();
  for (const name of imports) {
    const [top = '', room] = name.split('/');
    if (room === '*' && top !== path) names.push(top);
    else if (room === undefined && top !== path) names.push(top);
    else if (top === path && room !== '*') names.push(room ?? top);
    else if (room !== '*' && room !== undefined) others.set(top, [...(others.get(top) ?? []), room]);
  }
  return [...names, ...[...others].map(([top, rooms]) => `${top}{${rooms.join(' ')}}`)];
}
