import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { DropNotice, ErrorNotice, Tracker } from '../../src/api.ts';
import { createTracker as fromSource } from '../../src/index.ts';
import { bundledCreateTracker } from '../support/bundled.ts';
import { timeOfUuid7 } from '../support/uuid7Time.ts';
import { FakePage } from '../support/fakePage.ts';
import { FakeStorage } from '../support/fakeStorage.ts';
import { VirtualHost, type SentRequest } from '../support/virtualHost.ts';

interface Step {
  at: number;
  call: 'track' | 'flush' | 'close';
  name: string;
  event: { type: string } & Record<string, unknown>;
  padBytes?: number;
}

interface ConformanceCase {
  name: string;
  about: string;
  options: Record<string, number>;
  steps: Step[];
  answers: {
    status?: number;
    headers?: Record<string, string>;
    body?: { rejected?: { index: number }[] };
    text?: string;
    networkError?: true;
    delayMs?: number;
  }[];
  runUntil: number;
  expect: {
    requests: { events: string[]; at?: [number, number]; after?: [number, number] }[];
    dropped: { event: string; reason: string; code?: string }[];
    errors?: { code: string }[];
    stopped: boolean;
    left: string[];
  };
}

const METHODS = {
  Search: 'search',
  ProductClicked: 'productClicked',
  ProductAddedToCart: 'productAddedToCart',
  OrderCreated: 'orderCreated',
} as const satisfies Record<string, keyof Tracker>;

const folder = new URL('../../../conformance/cases/', import.meta.url);
const cases = readdirSync(folder).map(
  (file) => JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as ConformanceCase,
);

const nameOf = (event: Record<string, unknown>): string => (event.properties as { name: string }).name;

async function run(
  createTracker: typeof fromSource,
  spec: ConformanceCase,
): Promise<{
  host: VirtualHost;
  answeredAt: number[];
  dropped: DropNotice[];
  errors: ErrorNotice[];
  left: string[];
}> {
  const answeredAt: number[] = [];
  const storage = new FakeStorage();
  const host: VirtualHost = new VirtualHost({
    page: new FakePage({ storage }),
    answer: async (request, index) => {
      const answer = spec.answers[index];
      if (!answer) throw new Error('a request too many');
      if (answer.delayMs) await host.wait(answer.delayMs);
      answeredAt[index] = host.elapsed;
      if (answer.networkError) throw new TypeError('Failed to fetch');
      const { rejected, ...body } = answer.body ?? {};
      const verdicts = rejected?.map((one) => ({ eventId: request.body.events[one.index]?.eventId, ...one }));
      return new Response(answer.text ?? JSON.stringify({ ...body, rejected: verdicts }), {
        status: answer.status!,
        headers: answer.headers ?? {},
      });
    },
  });
  const tracker = createTracker(
    { endpoint: 'https://receiver.example', instrumentationKey: 'ik_conformance', ...spec.options },
    host.host,
  );
  const dropped: DropNotice[] = [];
  const errors: ErrorNotice[] = [];
  tracker.on('drop', (notice) => dropped.push(notice));
  tracker.on('error', (notice) => errors.push(notice));

  const queued: string[] = [];
  for (const step of spec.steps) {
    await host.advanceTo(step.at);
    if (step.call !== 'track') {
      void tracker[step.call]();
      continue;
    }
    const { type, ...fields } = step.event;
    const pad = step.padBytes ? { pad: 'x'.repeat(step.padBytes) } : {};
    const method = METHODS[type as keyof typeof METHODS];
    (tracker[method] as (fields: object) => string)({ ...fields, properties: { name: step.name, ...pad } });
    queued.push(step.name);
  }
  await host.advanceTo(spec.runUntil);

  const gone = new Set(dropped.map(({ event }) => nameOf(event)));
  const stored = Object.entries(storage.entries)
    .filter(([key]) => key.includes('.q'))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, value]) => nameOf(JSON.parse((JSON.parse(value) as [number, string])[1]) as never));
  expect(tracker.stats().queued).toBe(stored.length);
  expect(stored.filter((name) => gone.has(name))).toEqual([]);
  return { host, answeredAt, dropped, errors, left: stored };
}

const within = (value: number, bounds?: [number, number]): boolean =>
  !bounds || (value >= bounds[0] && value <= bounds[1]);

function checkIdentity(requests: SentRequest[], host: VirtualHost): void {
  const seen = new Map<string, { eventId: unknown; timestamp: unknown }>();
  for (const { at, body } of requests) {
    expect(body.instrumentationKey).toBe('ik_conformance');
    const sentAt = Date.parse(body.sentAt);
    expect(sentAt).toBeLessThanOrEqual(host.wallStart + at);
    for (const event of body.events) {
      expect(sentAt).toBeGreaterThanOrEqual(Date.parse(event.timestamp as string));
      expect(event.eventId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(timeOfUuid7(event.eventId as string)).toBeGreaterThanOrEqual(host.wallStart);
      const identity = { eventId: event.eventId, timestamp: event.timestamp };
      expect(seen.get(nameOf(event)) ?? identity).toEqual(identity);
      seen.set(nameOf(event), identity);
    }
  }
  expect(new Set([...seen.values()].map(({ eventId }) => eventId)).size).toBe(seen.size);
}

const implementations = [
  { of: 'the source', createTracker: fromSource },
  { of: 'the bundle', createTracker: await bundledCreateTracker() },
];

test('there are conformance cases', () => expect(cases.length).toBeGreaterThan(30));

describe.each(implementations)('conformance of $of', ({ createTracker }) => {
  test.each(cases)('$name: $about', async (spec) => {
    const { host, answeredAt, dropped, errors, left } = await run(createTracker, spec);
    expect(host.requests.map(({ body }) => body.events.map(nameOf))).toEqual(
      spec.expect.requests.map(({ events }) => events),
    );
    spec.expect.requests.forEach(({ at, after }, index) => {
      const time = host.requests[index]!.at;
      const since = time - (answeredAt[index - 1] ?? 0);
      expect({ at: within(time, at), after: within(since, after) }).toEqual({ at: true, after: true });
    });
    expect(dropped.map(({ event, reason, code }) => ({ event: nameOf(event), reason, ...(code && { code }) }))).toEqual(
      spec.expect.dropped,
    );
    const codes = errors.map(({ code }) => ({ code }));
    expect(codes).toEqual(spec.expect.errors ?? codes);
    expect(errors.some(({ status, retryable }) => !retryable && (status === 401 || status === 403))).toBe(
      spec.expect.stopped,
    );
    expect(left).toEqual(spec.expect.left);
    checkIdentity(host.requests, host);
  });
});
