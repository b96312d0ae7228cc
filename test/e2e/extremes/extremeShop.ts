import { join } from 'node:path';
import { readQueryServerConfig } from '../../../query/config.ts';
import { startQueryService } from '../../../query/service.ts';
import { Resources } from '../../../runtime/resources.ts';
import { openSecretStore } from '../../../stream/secretStore.ts';
import { newSecret, secretHash, type TokenRecord } from '../../../schemas/keys.ts';
import { TOKENS_BUCKET } from '../../../stream/buckets.ts';
import { LIMITS } from '../../../schemas/limits.ts';
import { log, startReceiver, type Receiver } from '../../ingest/receiver.ts';
import { normalisedEvent } from '../../support/normalisedEvent.ts';
import { startTestPipeline, type TestPipeline } from '../../support/testPipeline.ts';
import { TENANT } from '../../query/marts/martLake.ts';
import { runSpor, type Finished } from '../../support/runScript.ts';
import { OVERFLOW, type ExtremeEvent } from './extremeEvents.ts';

/** A receiver, a processor and a query server over one lake folder, and what was sent to them. */
export interface ExtremeShop {
  bench: TestPipeline;
  receiver: Receiver;
  /** Receipts of all batches that had an accepted event. */
  receipts: string[];
  /** Sends events, and answers what differs from what was expected of them; accepted ones are counted. */
  send(events: readonly ExtremeEvent[], sentAt?: string): Promise<string[]>;
  /** Events that are in the lake, those redriven included. */
  accepted(): number;
  refused(): number;
  /** Counts events that came into the lake out of the quarantine. */
  redriven(eventIds: ReadonlySet<string | null>): void;
  /** Every order that is in the lake. */
  orders(): Record<string, unknown>[];
  get(path: string): Promise<Response>;
  query(sql: string, format: string): Promise<Response>;
  /** The command line, as an operator of this lake. */
  spor(...args: string[]): Promise<Finished>;
  stop(): Promise<void>;
}

export async function startExtremeShop(): Promise<ExtremeShop> {
  const bench = await startTestPipeline();
  await bench.processor();
  const receiver = await startReceiver(bench.nats.url);
  const key = await receiver.createKey({ tenantId: TENANT, segmentId: 'web', kind: 'server' });
  const resources = new Resources();
  const lake = readQueryServerConfig({
    NATS_URL: bench.nats.url,
    LAKE_URL: `file:${bench.lakeDir}`,
    LAKE_PORT: '0',
    LAKE_MARTS_SECONDS: '0',
    LAKE_QUERY_MAX_ROWS: '1000000',
    LAKE_QUERY_MAX_BYTES: String(1 << 30),
    WORK_DIR: join(bench.lakeDir, '..', 'work-lake'),
  });
  const { port } = await startQueryService({ config: lake, log, resources });
  const url = `http://127.0.0.1:${port}`;
  const token = newSecret('rt');
  const tokens = await openSecretStore<TokenRecord>(receiver.connection, TOKENS_BUCKET, 1);
  await tokens.create(secretHash(token), {
    tenantId: TENANT,
    segmentIds: [],
    label: '',
    createdAt: new Date().toISOString(),
  });
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const receipts: string[] = [];
  let accepted = 0;
  let refused = 0;
  const sent: ExtremeEvent[] = [];
  const out: ExtremeEvent[] = [];
  const sendBody = async (events: readonly ExtremeEvent[], sentAt: string | undefined): Promise<string[]> => {
    const sentOn = sentAt === undefined ? '' : `,"sentAt":"${sentAt}"`;
    const list = events.map(({ event }) => bodyOf(event)).join(',');
    const response = await receiver.post(`{"instrumentationKey":"${key}"${sentOn},"events":[${list}]}`);
    const answer = (await response.json()) as Answer;
    // A body that is too large is refused whole, and nothing of it is kept.
    const codes = answer.code === 'body_too_large' ? new Map([[0, answer.code]]) : codesOf(answer);
    if (answer.code === 'body_too_large') refused -= 1;
    if (answer.receiptId !== undefined) receipts.push(answer.receiptId);
    for (const [index, event] of events.entries()) (codes.has(index) ? out : sent).push(event);
    accepted += events.length - codes.size;
    refused += codes.size;
    return events.flatMap(({ label, refusal }, index) =>
      codes.get(index) === refusal ? [] : [`${label}: ${codes.get(index)}, not ${refusal}`],
    );
  };
  return {
    bench,
    receiver,
    receipts,
    send: async (events, sentAt) => {
      const wrong: string[] = [];
      for (const part of batches(events)) wrong.push(...(await sendBody(part, sentAt)));
      return wrong;
    },
    accepted: () => accepted,
    refused: () => refused,
    redriven: (eventIds) => {
      const those = out.filter(({ event }) => eventIds.has(event.eventId as string));
      accepted += those.length;
      sent.push(...those);
    },
    orders: () =>
      sent.map(({ event }) => normalisedEvent(event)).filter(({ type }) => String(type).startsWith('Order')),
    get: (path) => fetch(`${url}${path}`, { headers }),
    query: (sql, format) =>
      fetch(`${url}/api/query`, { method: 'POST', headers, body: JSON.stringify({ sql, format, maxRows: 1_000_000 }) }),
    spor: (...args) =>
      runSpor(args, {
        env: {
          NATS_URL: bench.nats.url,
          LAKE_URL: `file:${bench.lakeDir}`,
          WORK_DIR: join(bench.lakeDir, '..', 'cli'),
        },
        cwd: join(bench.lakeDir, '..'),
      }),
    stop: async () => {
      await resources.close();
      await receiver.close();
      await bench.stop();
    },
  };
}

interface Answer {
  receiptId?: string;
  code?: string;
  rejected?: { index: number; code: string }[];
}

/** An event's JSON, with numbers that overflow and the sign of minus zero. */
function bodyOf(event: Record<string, unknown>): string {
  return JSON.stringify(event, (_, value: unknown) => (Object.is(value, -0) ? '__-0__' : value))
    .replaceAll(`"${OVERFLOW}"`, '1e999')
    .replaceAll('"__-0__"', '-0');
}

function batches(events: readonly ExtremeEvent[]): ExtremeEvent[][] {
  const out: ExtremeEvent[][] = [];
  let bytes = Infinity;
  for (const event of events) {
    const own = Buffer.byteLength(bodyOf(event.event)) + 1;
    if (bytes + own > LIMITS.bodyBytes - 1_000 || out.at(-1)!.length === LIMITS.batchEvents) {
      out.push([]);
      bytes = 0;
    }
    out.at(-1)!.push(event);
    bytes += own;
  }
  return out;
}

function codesOf({ rejected = [] }: Answer): Map<number, string> {
  return new Map(rejected.map(({ index, code }) => [index, code]));
}
