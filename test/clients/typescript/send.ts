// Sends the examples of the receiver's document with a client of openapi-typescript and openapi-fetch:
// send.ts URL KEY QUERY_URL TOKEN EXAMPLES_FILE. Each line of output is one answer as JSON.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import createClient from 'openapi-fetch';
import type { paths as QueryPaths } from './generated/query.js';
import type { components, paths } from './generated/receiver.js';

type Event = components['schemas']['Event'];
type OrderCreated = components['schemas']['OrderCreated'];

const [url, key, queryUrl, token, examples] = process.argv.slice(2) as [string, string, string, string, string];
const say = (answer: object): boolean => process.stdout.write(`${JSON.stringify(answer)}\n`);
const receiver = createClient<paths>({ baseUrl: url, headers: { 'X-Instrumentation-Key': key } });

for (const example of JSON.parse(readFileSync(examples, 'utf8')) as Event[]) {
  const event: Event = { ...example, eventId: randomUUID() };
  const { data } = await receiver.POST('/api/events', { body: { sentAt: event.timestamp, events: [event] } });
  say({
    told: 'example',
    type: event.type,
    eventId: event.eventId,
    receipt: data?.receiptId,
    accepted: data?.accepted,
  });
}

const common = { timestamp: new Date().toISOString(), sessionId: 's-1' };
const order: OrderCreated = {
  ...common,
  eventId: randomUUID(),
  type: 'OrderCreated',
  orderId: 'O-1',
  currency: 'DKK',
  total: 1234567.89,
  lines: [{ productId: 'SKU-1', quantity: 1, unitPrice: 1234567.89 }],
};
// Without the phrase that a Search needs; the type of any event allows that.
const bad: Event = { ...common, eventId: randomUUID(), type: 'Search', resultsCount: 1 };
const mixed = await receiver.POST('/api/events', { body: { events: [order, bad] } });
const [verdict] = mixed.data!.rejected;
say({
  told: 'order',
  eventId: order.eventId,
  receipt: mixed.data!.receiptId,
  accepted: mixed.data!.accepted,
  verdict: verdict!.code,
  path: verdict!.path,
});
const dry = await receiver.POST('/api/events', { params: { query: { dryRun: true } }, body: { events: [order] } });
say({
  told: 'dry run',
  receipt: dry.data!.receiptId ?? null,
  accepted: dry.data!.accepted,
  total: dry.data!.rows![0]!.total,
});
const refused = await receiver.POST('/api/events', { body: { events: [bad] } });
say({
  told: 'refused',
  status: refused.response.status,
  code: refused.error!.code,
  verdict: refused.error!.rejected![0]!.code,
});

const query = createClient<QueryPaths>({ baseUrl: queryUrl, headers: { authorization: `Bearer ${token}` } });
const session = await query.GET('/api/session');
say({ told: 'session', role: session.data!.role, tenant: session.data!.tenants[0]!.tenantId });
const unknown = await query.GET('/api/receipts/{id}', { params: { path: { id: 'nonsense' } } });
say({ told: 'query refused', status: unknown.response.status, code: unknown.error!.code });
