import { randomUUID } from 'node:crypto';
import { request, type Agent } from 'node:https';
import { request as requestPlain } from 'node:http';
import { delay } from '../../runtime/retry.ts';

/** Events sent to a running deployment, one a request, until each has its 202. */
export interface Traffic {
  /** Ids of the events that were acknowledged. */
  readonly acknowledged: ReadonlySet<string>;
  /** Answers other than 202 by status, and failed connections as `none`. */
  readonly others: ReadonlyMap<string, number>;
  /** Resolves once each event has been acknowledged. */
  stop(): Promise<void>;
}

/** Where a deployment listens. */
export interface Endpoint {
  events: string;
  query: string;
  /** Trusts the certificate of the proxy; absent: plain HTTP. */
  agent?: Agent;
}

const EVERY_MS = 50;
const AGAIN_MS = 200;

/** Starts to send an event every 50 ms; each is sent again until it is acknowledged. */
export function startTraffic(endpoint: Endpoint, key: string): Traffic {
  const acknowledged = new Set<string>();
  const others = new Map<string, number>();
  const stopped = new AbortController();
  const send = async (): Promise<void> => {
    const eventId = randomUUID();
    const body = JSON.stringify({ events: [searchEvent(eventId)] });
    for (;;) {
      const answer = await ask(endpoint, { url: `${endpoint.events}/api/events`, key, body }).catch(() => undefined);
      if (answer?.status === 202) return void acknowledged.add(eventId);
      const status = String(answer?.status ?? 'none');
      others.set(status, (others.get(status) ?? 0) + 1);
      if (answer && answer.status < 500 && answer.status !== 429)
        throw new Error(`the receiver answered ${answer.status}: ${answer.text}`);
      await delay(AGAIN_MS);
    }
  };
  const running = (async () => {
    const open: Promise<void>[] = [];
    while (!stopped.signal.aborted) {
      open.push(send());
      await delay(EVERY_MS, stopped.signal);
    }
    await Promise.all(open);
  })();
  running.catch(() => undefined); // thrown by stop
  return {
    acknowledged,
    others,
    stop: () => {
      stopped.abort();
      return running;
    },
  };
}

/** @throws Error unless the query server answers 200 */
export async function countEvents(endpoint: Endpoint, token: string): Promise<{ rows: number; distinct: number }> {
  const sql = 'select count(*)::int as rows, count(distinct event_id)::int as ids from events';
  const answer = await ask(endpoint, { url: `${endpoint.query}/api/query`, token, body: JSON.stringify({ sql }) });
  if (answer.status !== 200) throw new Error(`the query server answered ${answer.status}: ${answer.text}`);
  const [[rows, distinct]] = (JSON.parse(answer.text) as { rows: [[number, number]] }).rows;
  return { rows, distinct };
}

function searchEvent(eventId: string): object {
  return {
    eventId,
    type: 'Search',
    timestamp: new Date().toISOString(),
    sessionId: 'docker-test',
    searchId: eventId,
    phrase: 'running shoes',
    resultsCount: 128,
  };
}

function ask(
  { agent }: Endpoint,
  { url, key, token, body }: { url: string; key?: string; token?: string; body: string },
): Promise<{ status: number; text: string }> {
  const headers = {
    'content-type': 'application/json',
    ...(key ? { 'x-instrumentation-key': key } : {}),
    ...(token ? { authorization: `Bearer ${token}` } : {}),
  };
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', headers, timeout: 10_000, ...(agent ? { agent } : {}) };
    const sent = (agent ? request : requestPlain)(url, options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
    });
    sent.on('error', reject).on('timeout', () => sent.destroy(new Error('no answer in 10 s')));
    sent.end(body);
  });
}
