import type { Device } from './device.ts';

const IDLE_MS = 30 * 60_000;

type State = [anonymousId: string, sessionId: string, lastEvent: number];

/**
 * The visitor's ids for an event now; a new session begins after 30 minutes without one. Visitor and visit are shared by
 * the tabs of a shop through the device, under the name `s`.
 */
export function visitorIds(
  device: Device,
  newId: (ms: number) => string,
  now: number,
): { anonymousId: string; sessionId: string } {
  const [anonymousId = newId(now), current = newId(now), last = now] = device.read<State>('s') ?? [];
  const sessionId = now - last < IDLE_MS ? current : newId(now);
  device.write('s', [anonymousId, sessionId, now]);
  return { anonymousId, sessionId };
}
