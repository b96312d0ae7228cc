import type { Cookies } from './cookies.ts';
import type { Device } from './device.ts';

const IDLE_MS = 30 * 60_000;
/** Lifetime of the visitor's cookie and of the consent cookie. Safari caps it at a week. */
export const VISITOR_COOKIE_S = 365 * 86_400;

type State = [anonymousId: string, sessionId: string, lastEvent: number];

/**
 * The visitor's ids for an event now. A session ends after 30 minutes without one.
 *
 * Tabs share visitor and session on the device, under the name `s`. Cookies come first, because a page of another sub-domain
 * may have written them. The session's cookie expires with the session.
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
