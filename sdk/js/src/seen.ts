import type { Host } from './host.ts';

/** Least area of a frame that a person can see, px². */
const LEAST_AREA = 4;

/** False for a hidden frame, which nobody sees. Workers have no frame, and no size. */
export function hasRoom(host: Host): boolean {
  return host.parent === host.self || !(host.innerWidth! * host.innerHeight! < LEAST_AREA);
}
