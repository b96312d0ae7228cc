import type { Room } from './room.ts';
import { ROOMS } from './rooms.ts';

/** Whether a list of allowed rooms covers a room. */
export function covers(allowed: readonly string[], path: string): boolean {
  return allowed.some((name) => {
    if (!name.endsWith('/*')) return name === path;
    const top = name.slice(0, -2);
    return path === top || path.startsWith(`${top}/`);
  });
}

/** The room of a file: the one with the longest matching path; undefined if none matches. */
export function roomOf(file: string, rooms: readonly Room[] = ROOMS): Room | undefined {
  const holding = rooms.filter(({ path }) => file.startsWith(`${path}/`));
  const [room] = holding.sort((one, other) => other.path.length - one.path.length);
  // A folder below a room with sub-rooms must be a room itself.
  const strict = room !== undefined && rooms.some(({ path }) => path.startsWith(`${room.path}/`));
  return strict && file.slice(room.path.length + 1).includes('/') ? undefined : room;
}
