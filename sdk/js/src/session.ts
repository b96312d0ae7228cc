import type { Consent, VisitorCookies, VisitorIds } from './api.ts';
import { isNear } from './clock.ts';
import type { Device } from './device.ts';

const IDLE_MS = 30 * 60_000;

type State = [anonymousId: string, sessionId: string, lastEvent: number];

/**
 * The visitor's ids for an event now. A session ends after 30 minutes without one.
 *
 * Tabs share visitor and session on the device, under the name `s`. Cookies come first, because a page of another sub-domain
 * may have written them.
 */
export function visitorIds(
  device: Device,
  cookies: VisitorCookies | undefined,
  newId: (ms: number) => string,
  now: number,
  consent: Consent | undefined,
): VisitorIds {
  const [visitor = newId(now), current = newId(now), last = now] = device.load<State>('s') ?? [];
  const kept = cookies?.read() ?? {};
  const ids = {
    anonymousId: kept.anonymousId ?? visitor,
    sessionId: kept.sessionId ?? (isNear(now, last, IDLE_MS) ? current : newId(now)),
  };
  device.save('s', [ids.anonymousId, ids.sessionId, now]);
  cookies?.write(ids, consent);
  return ids;
}
