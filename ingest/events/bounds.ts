import { DAY_MS } from '../../runtime/units.ts';
import { dateTimeMs } from '../../schemas/dateTime.ts';
import { LIMITS } from '../../schemas/limits.ts';
import type { EventFault } from './faults.ts';

/** The fault of an event whose JSON is over the limit. */
export function sizeFault(json: string): EventFault | undefined {
  // A UTF-16 unit has at most three bytes of UTF-8, so most events need no count.
  if (json.length * 3 <= LIMITS.eventBytes) return undefined;
  const bytes = Buffer.byteLength(json);
  if (bytes <= LIMITS.eventBytes) return undefined;
  return {
    code: 'event_too_large',
    path: '',
    message: `The event is ${bytes} bytes of compact JSON; at most ${LIMITS.eventBytes} are accepted. Send less with it.`,
  };
}

/** Check the age of an event; bounds are inclusive. The lake has no day before 1970. An invalid time has another fault. */
export function timeFault(
  timestamp: unknown,
  { receivedAtMs, skewMs, acceptOld }: { receivedAtMs: number; skewMs: number; acceptOld?: boolean },
): EventFault | undefined {
  if (typeof timestamp !== 'string') return undefined;
  const eventTimeMs = dateTimeMs(timestamp) + skewMs;
  const aheadMs = eventTimeMs - receivedAtMs;
  if (aheadMs > LIMITS.futureSeconds * 1000) {
    return {
      code: 'timestamp_in_future',
      path: '/timestamp',
      message: `/timestamp lies ${Math.ceil(aheadMs / 1000)} seconds ahead of receipt${corrected(skewMs)}; at most ${LIMITS.futureSeconds} are accepted. Set the clock, or send sentAt by the same clock.`,
    };
  }
  if (-aheadMs > LIMITS.pastDays * DAY_MS && !(acceptOld && eventTimeMs >= 0)) {
    return {
      code: 'timestamp_too_old',
      path: '/timestamp',
      message: `/timestamp lies ${(-aheadMs / DAY_MS).toFixed(2)} days before receipt${corrected(skewMs)}; at most ${LIMITS.pastDays} are accepted.`,
    };
  }
  return undefined;
}

function corrected(skewMs: number): string {
  return skewMs === 0 ? '' : ` (after correcting by ${skewMs} ms for the sender's clock, from sentAt)`;
}
