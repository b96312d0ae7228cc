import type { Stack } from '../stack/stack.ts';

const BATCH = 500;

/** Sends events in batches, one after the other. @throws Error if the receiver refuses a batch */
export async function postEvents({ ingestUrl }: Stack, key: string, events: readonly string[]): Promise<void> {
  for (let at = 0; at < events.length; at += BATCH) {
    const response = await fetch(new URL('/api/events', ingestUrl), {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-instrumentation-key': key },
      body: `{"events":[${events.slice(at, at + BATCH).join(',')}]}`,
    });
    const text = await response.text();
    if (response.status !== 202) throw new Error(`the receiver answered ${response.status}: ${text.slice(0, 300)}`);
  }
}
