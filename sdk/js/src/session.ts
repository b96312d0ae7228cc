import type { Cookies } from './cookies.ts';
import type { Device } from './device.ts';

const IDLE_MS = 30 * 60_000;
/** Also of the cookie that says what the visitor agreed to; browsers cap it, Safari at a week. */
export const VISITOR_COOKIE_S = 365 * 86_400;

type State = [anonymousId: string, sessionId: string, lastEvent: number];

/**
 * The visitor's ids for an event now; a new session begins after 30 minutes without one. Visitor and visit are shared by
 * the tabs of a shop through the device, under the name `s`. Cookies go first, as a page of another sub-domain may have
 * written them; the session's ends by itself when the session does.
 */
export function visitorIds(
  device: Device,
  cookies: Cookies,
  newId: (ms: number) => string,
  now: number,
): { anonymousId: string; sessionId: string } {
  const [visitor = newId(now), current = newId(now), last = now] = device.read<State>('s') ?? [];
  const anonymousId = cookies.read('aid') ?? visitor;
  const sessionId = cookies.read('sid') ?? (now - last < IDLE_MS ? current : newId(now));
  device.write('s', [anonymousId, sessionId, now]);
  cookies.write('aid', anonymousId, VISITOR_COOKIE_S);
  cookies.write('sid', sessionId, IDLE_MS / 1000);
  return { anonymousId, sessionId };
}
