import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A receiver that takes everything, and keeps the events of each key. */
export interface Recorder {
  url: string;
  /** Events of a key in the order in which they were created, each once. */
  events(instrumentationKey: string): Record<string, unknown>[];
  close(): Promise<void>;
}

/** Start a recorder on a free port of the loopback. */
export async function startRecorder(): Promise<Recorder> {
  const taken = new Map<string, Record<string, unknown>>();
  const server = createServer((request, response) => {
    void (async () => {
      let text = '';
      for await (const chunk of request.setEncoding('utf8')) text += chunk as string;
      const { instrumentationKey, events } = JSON.parse(text) as {
        instrumentationKey: string;
        events: Record<string, unknown>[];
      };
      for (const event of events) taken.set(event.eventId as string, { ...event, instrumentationKey });
      response.writeHead(202, { 'access-control-allow-origin': '*', 'content-type': 'application/json' });
      response.end(JSON.stringify({ receiptId: 'mgq3x0-0-1-0', accepted: events.length, rejected: [] }));
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    events: (key) =>
      [...taken.values()]
        .filter(({ instrumentationKey }) => instrumentationKey === key)
        .toSorted((a, b) => ((a.eventId as string) < (b.eventId as string) ? -1 : 1)),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
