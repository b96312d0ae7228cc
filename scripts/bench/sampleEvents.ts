import { createRandom } from '../shop/random.ts';
import type { ShopEvent } from '../shop/session.ts';
import { simulate } from '../shop/simulation.ts';
import { uuid7 } from '../shop/uuid7.ts';
import { EVENT_ID } from './wrk.ts';

/** Number of samples: few repeats, which would compress too well. */
const SAMPLES = 60_000;
const SPAN_MS = 60_000;

/**
 * Events of the simulated webshop, with EVENT_ID for their ids.
 *
 * All are valid and have realistic shapes. They lack a context, which makes them 370 bytes, the size of the targets.
 */
export function sampleEvents(count = SAMPLES): string[] {
  return shopEvents(count).map(({ json }) => {
    const { context: _, ...event } = JSON.parse(json) as Record<string, unknown>;
    return JSON.stringify({ ...event, eventId: EVENT_ID });
  });
}

/** Single events, each with an id of the current moment. */
export function* probes(): Generator<ShopEvent> {
  const random = createRandom(2);
  for (const event of shopEvents(1_000)) {
    const eventId = uuid7(Date.now(), random);
    yield { ...event, eventId, json: event.json.replace(event.eventId!, eventId) };
  }
}

/** Mean bytes of a sent event. */
export function meanBytes(texts: readonly string[]): number {
  const idBytes = 36;
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text) - EVENT_ID.length + idBytes, 0) / texts.length;
}

function shopEvents(count: number): ShopEvent[] {
  const events: ShopEvent[] = [];
  const untilMs = Date.now();
  for (const event of simulate({
    seed: 1,
    startMs: untilMs - SPAN_MS,
    untilMs,
    eventsPerSecond: (count * 1000 * 2) / SPAN_MS,
  })) {
    if (events.length === count) break;
    if (event.expected === 'accepted' && event.eventId !== undefined) events.push(event);
  }
  return events;
}
