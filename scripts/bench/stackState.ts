import { delay } from '../../runtime/retry.ts';
import type { Stack } from '../stack/stack.ts';
import { scrape } from './scrape.ts';

const PATIENCE_MS = 300_000;
const POLL_MS = 50;

/** Events that the stack's receiver acknowledged since its start. */
export async function eventsAccepted({ ingestUrl }: Stack): Promise<number> {
  return (await scrape(ingestUrl)).get('spor_ingest_events_accepted_total') ?? 0;
}

/** Acknowledged events that are not in the lake yet. */
export async function backlogEvents(stack: Stack): Promise<number> {
  const accepted = await eventsAccepted(stack);
  return Math.max(0, accepted - ((await scrape(stack.processorUrl)).get('spor_processor_events_stored_total') ?? 0));
}

/** Waits until all acknowledged events are in the lake. @throws Error if that takes too long */
export async function drained(stack: Stack): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while ((await backlogEvents(stack)) > 0) {
    if (performance.now() > deadline) throw new Error('the processor did not commit everything that was accepted');
    await delay(POLL_MS);
  }
}
