import { simulate } from '../shop/simulation.ts';
import { EVENT_ID } from './wrk.ts';

/**
 * Events of the simulated webshop as JSON texts with EVENT_ID for their ids: realistic sizes and shapes, all valid.
 * About 370 bytes each.
 */
export function sampleEvents(count: number, nowMs: number = Date.now()): string[] {
  const texts: string[] = [];
  const startMs = nowMs - 60_000;
  for (const { eventId, json, expected } of simulate({
    seed: 1,
    startMs,
    untilMs: nowMs,
    eventsPerSecond: count / 20,
  })) {
    if (texts.length === count) break;
    if (expected === 'accepted' && eventId !== undefined) texts.push(json.replace(eventId, EVENT_ID));
  }
  return texts;
}
