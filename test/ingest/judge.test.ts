import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { clockSkewMs } from '../../ingest/events/batch.ts';
import { Judge } from '../../ingest/events/judge.ts';
import { rawJson } from '../../ingest/events/rawJson.ts';
import { EVENT_ERRORS } from '../../schemas/errors.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { createRegistry } from '../../schemas/registry.ts';
import { anEvent } from './receiver.ts';
import { DAY_MS } from '../../runtime/units.ts';

const judge = new Judge(createRegistry());
const NOW = Date.parse('2026-11-23T10:00:00.000Z');

type Type = Parameters<typeof anEvent>[0];

function at(type: Type = 'Search', fields: Record<string, unknown> = {}): Record<string, unknown> {
  return anEvent(type, { timestamp: '2026-11-23T09:59:59.900Z', ...fields });
}

/** The verdict on one event: `accepted`, or code, path and message. */
function verdict(event: unknown, skewMs = 0): string | [string, string, string] {
  const { lineEnds, rejected } = judge.judge({ events: [event], receivedAtMs: NOW, skewMs });
  expect(lineEnds.length + rejected.length).toBe(1);
  const [refused] = rejected;
  return refused ? [refused.code, refused.path, refused.message] : 'accepted';
}

function without(event: Record<string, unknown>, ...fields: string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(event).filter(([name]) => !fields.includes(name)));
}

/** An object nested so many levels deep, itself included. */
function nested(depth: number): unknown {
  return JSON.parse(`${'{"a":'.repeat(depth - 1)}{}${'}'.repeat(depth - 1)}`);
}

const refused: [string, unknown, keyof typeof EVENT_ERRORS, string, RegExp][] = [
  ['null', null, 'event_not_object', '', /not null/],
  ['a list', [at()], 'event_not_object', '', /not a list/],
  ['no type', without(at(), 'type'), 'field_missing', '/type', /Known types: .*OrderCreated, .*Search/],
  ['a type that is no text', at('Search', { type: 7 }), 'field_type', '/type', /must be text/],
  ['a type we do not know', at('Search', { type: 'search' }), 'type_unknown', '/type', /"search" is not an event type/],
  ['a type of every object', at('Search', { type: 'constructor' }), 'type_unknown', '/type', /constructor/],
  ['no event id', without(at(), 'eventId'), 'field_missing', '/eventId', /\/eventId is required in Search/],
  [
    'no session, visitor or customer',
    without(at(), 'sessionId'),
    'field_missing',
    '',
    /\/sessionId or \/anonymousId or \/userId/,
  ],
  ...['00000000-0000-0000-0000-000000000000', 'FFFFFFFF-ffff-ffff-ffff-ffffffffffff'].map(
    (eventId): [string, unknown, keyof typeof EVENT_ERRORS, string, RegExp] => [
      `the event id ${eventId}, which every event may have`,
      at('Search', { eventId }),
      'field_format',
      '/eventId',
      /UUID/,
    ],
  ),
  ['an event id that is none', at('Search', { eventId: 'abc' }), 'field_format', '/eventId', /UUID.*"abc"/],
  ['an unknown field', at('Search', { colour: 'x' }), 'field_unknown', '/colour', /under "properties"/],
  [
    'a field in other letters',
    at('Search', { session_id: 'x' }),
    'field_unknown',
    '/session_id',
    /Did you mean "sessionId"/,
  ],
  ['a field of another type', at('Search', { orderId: 'x' }), 'field_unknown', '/orderId', /not a field of Search/],
  [
    '__proto__',
    JSON.parse(`${JSON.stringify(at()).slice(0, -1)},"__proto__":{"x":1}}`),
    'field_unknown',
    '/__proto__',
    /__proto__/,
  ],
  [
    'a field unknown further down',
    at('Search', { context: { URL: 'x' } }),
    'field_unknown',
    '/context/URL',
    /of \/context of Search. Did you mean "url"/,
  ],
  [
    'an unknown field of a line',
    at('OrderCreated', { lines: [{ productId: 'a', quantity: 1, unitPrice: 1, price: 1 }] }),
    'field_unknown',
    '/lines/0/price',
    /of \/lines\/0/,
  ],
  ['a name with / and ~', at('Search', { 'a/b~c': 1 }), 'field_unknown', '/a~1b~0c', /a\/b~c/],
  ['text for an amount', at('OrderCreated', { total: '499,50' }), 'field_type', '/total', /a number, not text/],
  ['null for a text', at('Search', { phrase: null }), 'field_type', '/phrase', /text, not null/],
  ['an empty id', at('ProductClicked', { productId: '' }), 'field_range', '/productId', /1 or more characters/],
  [
    'a long id',
    at('ProductClicked', { productId: 'x'.repeat(201) }),
    'field_range',
    '/productId',
    /200 characters or fewer; it has 201/,
  ],
  [
    'a long id of pairs',
    at('ProductClicked', { productId: '👟'.repeat(201) }),
    'field_range',
    '/productId',
    /it has 201/,
  ],
  [
    'a negative quantity',
    at('ProductAddedToCart', { quantity: -1 }),
    'field_range',
    '/quantity',
    /more than 0; got -1/,
  ],
  ['a huge amount', at('OrderCreated', { total: 1e11 + 1 }), 'field_range', '/total', /100000000000 or less/],
  ['nothing bought', at('ProductAddedToCart', { quantity: 0 }), 'field_range', '/quantity', /more than 0/],
  ['no lines', at('OrderCreated', { lines: [] }), 'field_range', '/lines', /1 or more elements/],
  [
    'many lines',
    at('OrderCreated', { lines: Array.from({ length: 5_001 }, () => ({})) }),
    'field_range',
    '/lines',
    /5000 elements or fewer; it has 5001/,
  ],
  [
    'a currency that is none',
    at('OrderCreated', { currency: 'kr.' }),
    'field_format',
    '/currency',
    /\^\[A-Z\]\{3\}\$.*"kr\."/,
  ],
  [
    'a time without a zone',
    at('Search', { timestamp: '2026-11-23T10:00:00' }),
    'field_format',
    '/timestamp',
    /RFC 3339/,
  ],
  [
    'a number beyond doubles',
    at('OrderCreated', { total: Infinity }),
    'number_invalid',
    '/total',
    /too large, or has more digits/,
  ],
  [
    'such a number as an id',
    at('ProductClicked', { productId: -Infinity }),
    'number_invalid',
    '/productId',
    /too large/,
  ],
  [
    'such a number in properties',
    at('Search', { properties: { a: [1, { b: Infinity }] } }),
    'number_invalid',
    '/properties/a/1/b',
    /too large/,
  ],
  ['NUL in an id', at('ProductClicked', { productId: 'a\0b' }), 'text_invalid', '/productId', /U\+0000/],
  ['half a pair in an id', at('ProductClicked', { productId: '\ud83d' }), 'text_invalid', '/productId', /surrogate/],
  ['a very deep unknown field', at('Search', { x: nested(200_000) }), 'field_unknown', '/x', /not a field/],
  [
    'too much of it',
    at('Search', { properties: { a: 'ø'.repeat(LIMITS.eventBytes / 2) } }),
    'event_too_large',
    '',
    /at most 4000000/,
  ],
];

it.each([
  [
    'OrderCreated',
    'orderId',
    ['orderid', 'OrderID', 'order_id', 'order-id', 'ORDER ID', 'oderId', 'ordreId', 'orderIdd'],
  ],
  ['Search', 'searchId', ['searchid', 'search_id', 'SearchId', 'serachId', 'searchIds']],
  ['Search', 'anonymousId', ['anonymousID', 'anonymous_id', 'anonymusId', 'anonymousld']],
  ['Search', 'resultsCount', ['results_count', 'resultCount', 'resultsCounts']],
  ['ProductClicked', 'productId', ['productID', 'product-id', 'prodcutId', 'productIds']],
] as const)('a misspelled field of %s is answered with %s', (type, right, spellings) => {
  const messages = spellings.map((name) => verdict(at(type, { [name]: 'x' }))[2]!);
  expect(messages.filter((message) => !message.includes(`Did you mean ${JSON.stringify(right)}?`))).toEqual([]);
});

it.each(['sku', 'id', 'ids', 'x'.repeat(61), 'pro'])('%s is like no field', (name) => {
  expect(verdict(at('Search', { [name]: 'x' }))[2]).toContain('put your own data under "properties"');
});

it('compares a name with those of the schema only if it may be a misspelling', () => {
  const plain = vi.spyOn(String.prototype, 'toLowerCase');
  const name = 'X'.repeat(400_000);
  const [code, , message] = verdict(at('Search', { [name]: 1 }));
  const characters = plain.mock.contexts.reduce((sum: number, text) => sum + String(text).length, 0);
  plain.mockRestore();
  expect([code, message?.slice(0, 5)]).toEqual(['field_unknown', '"XXXX']);
  expect(characters).toBeLessThan(10_000);
});

describe('a refused event', () => {
  it.each(refused)('%s', (_name, event, code, path, message) => {
    const outcome = verdict(event);
    expect([outcome[0], outcome[1]]).toEqual([code, path]);
    expect(outcome[2]).toMatch(message);
  });

  it('is described in every code there is', () => {
    const covered = new Set(refused.map(([, , code]) => code));
    // Only rows of earlier versions have nesting_too_deep.
    const elsewhere = ['timestamp_too_old', 'timestamp_in_future', 'server_key_required', 'nesting_too_deep'];
    expect([...covered, ...elsewhere].sort()).toEqual(Object.keys(EVENT_ERRORS).sort());
  });

  it('is kept so that it reads back as it was, and what is said of it can be stored', () => {
    for (const [name, event] of refused) {
      const { rejected } = judge.judge({ events: [event], receivedAtMs: NOW, skewMs: 0 });
      const { raw, ...rest } = rejected[0]!;
      // Comparing very deep values would itself overflow the stack; their text is compared instead.
      const deep = raw.length > 200_000;
      expect(deep ? rawJson(JSON.parse(raw)) : JSON.parse(raw), name).toEqual(deep ? raw : event);
      expect(JSON.stringify(rest)).not.toMatch(/\\u(0000|d[89a-f])/i);
    }
  });
});

describe('an accepted event', () => {
  it.each<[string, Record<string, unknown>]>([
    ['at the depth limit', at('Search', { properties: nested(LIMITS.propertiesDepth) })],
    ['with lengths counted in characters', at('Search', { userId: '👟'.repeat(200) })],
    ['with control characters that can be stored', at('Search', { phrase: 'a\u0001\u001f\u007f\u2028b' })],
    ['with a backslash that only looks like NUL', at('Search', { phrase: '\\u0000 \\ud800' })],
    ['with an event id in capitals', at('Search', { eventId: '0192AAAA-0000-7000-8000-00000000000F' })],
    [
      'with names that objects have',
      at('Search', { properties: { constructor: 1, toJSON: 'x', hasOwnProperty: null } }),
    ],
    ['with __proto__ in properties', at('Search', { properties: JSON.parse('{"__proto__": {"a": 1}}') })],
    ['with large integers as doubles have them', at('Search', { properties: { n: 2 ** 53 + 2 } })],
    ['without a timestamp fraction, in another zone', at('Search', { timestamp: '2026-11-23T15:29:59+05:30' })],
    ['by a visitor without a session', without(at('Search', { anonymousId: 'x' }), 'sessionId')],
  ])('%s', (_name, event) => {
    const { lineEnds, rejected } = judge.judge({ events: [event], receivedAtMs: NOW, skewMs: 0 });
    expect(rejected).toEqual([]);
    const { b, i, v, ...stored } = JSON.parse(`{"b":0${lineEnds[0]}`) as Record<string, unknown>;
    expect([b, i, v]).toEqual([0, 0, 2]);
    expect(JSON.stringify(stored)).toBe(JSON.stringify(event));
    expect(lineEnds[0]!.indexOf('\n')).toBe(lineEnds[0]!.length - 1);
  });

  it('just within its size, and not one byte over', () => {
    const room = LIMITS.eventBytes - Buffer.byteLength(JSON.stringify(at('Search', { properties: { a: '' } })));
    expect(verdict(at('Search', { properties: { a: 'x'.repeat(room) } }))).toBe('accepted');
    expect(verdict(at('Search', { properties: { a: 'x'.repeat(room + 1) } }))[0]).toBe('event_too_large');
    expect(verdict(at('Search', { properties: { a: 'ø'.repeat(room / 2 + 1) } }))[0]).toBe('event_too_large');
  });
});

describe('an event type for backends', () => {
  const SERVER_ONLY = ['OrderCancelled', 'OrderCorrected', 'OrderRefunded'];
  const common = { eventId: crypto.randomUUID(), timestamp: '2026-11-23T09:59:59.900Z', orderId: 'o-1' };

  it.each(SERVER_ONLY)('%s is rejected from a browser key, and from a key of unknown kind', (type) => {
    for (const keyKind of ['browser', undefined] as const) {
      const { rejected } = judge.judge({ events: [{ ...common, type }], receivedAtMs: NOW, skewMs: 0, keyKind });
      expect(rejected).toMatchObject([{ code: 'server_key_required', path: '/type' }]);
    }
  });

  it.each(SERVER_ONLY)('%s is accepted from a server key, without session and visitor', (type) => {
    const batch = { receivedAtMs: NOW, skewMs: 0, keyKind: 'server' } as const;
    expect(judge.judge({ ...batch, events: [{ ...common, type }] }).rejected).toEqual([]);
    const lines = [{ productId: 'p', quantity: 1, unitPrice: 5 }];
    const amount = type === 'OrderCorrected' ? { total: 5, lines } : { amount: 5, lines: [{ amount: 5 }] };
    expect(judge.judge({ ...batch, events: [{ ...common, type, ...amount }] }).rejected).toEqual([]);
    const negative = type === 'OrderCorrected' ? { total: -1e12 } : { amount: -5 };
    expect(judge.judge({ ...batch, events: [{ ...common, type, ...negative }] }).rejected).toMatchObject([
      { code: 'field_range' },
    ]);
  });
});

describe('money', () => {
  const price = (total: number): unknown => verdict(at('OrderCreated', { total }));

  it('is any decimal of four places, exactly', () => {
    fc.assert(
      fc.property(fc.bigInt(-(10n ** 15n), 10n ** 15n), (units) => {
        const digits = (units < 0n ? -units : units).toString().padStart(5, '0');
        const text = `${units < 0n ? '-' : ''}${digits.slice(0, -4)}.${digits.slice(-4)}`;
        expect(price(Number(text)), text).toBe('accepted');
      }),
    );
  });

  it('is rounded where it is finer, away from zero at a half', () => {
    const stored = (total: number): unknown => {
      const { lineEnds } = judge.judge({ events: [at('OrderCreated', { total })], receivedAtMs: NOW, skewMs: 0 });
      return (JSON.parse(`{"b":0${lineEnds[0]}`) as { total: number }).total;
    };
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e9 }), fc.integer({ min: 1, max: 9 }), (whole, digit) => {
        const rounded = Number(`${whole}.123${digit < 5 ? 4 : 5}`);
        expect(stored(Number(`${whole}.1234${digit}`))).toBe(rounded);
        expect(stored(-Number(`${whole}.1234${digit}`))).toBe(-rounded);
      }),
    );
    expect([1e-5, 0.30000000000000004, 0.1 + 0.7, 1 / 3, 5e-324, 1.00015, -1.00015].map(stored)).toEqual([
      0, 0.3, 0.8, 0.3333, 0, 1.0002, -1.0002,
    ]);
    for (const even of [0, -0, 0.07, 1.1, 4.35, 1e11, -1e11, 0.0001, 99999999999.9999]) {
      expect(price(even), String(even)).toBe('accepted');
    }
  });
});

describe('the clock', () => {
  const time = (ms: number): string => new Date(ms).toISOString();
  const future = LIMITS.futureSeconds * 1000;
  const past = LIMITS.pastDays * DAY_MS;

  it('bounds are inclusive to the millisecond', () => {
    const code = (ms: number): string => {
      const outcome = verdict(at('Search', { timestamp: time(ms) }));
      return outcome === 'accepted' ? outcome : `${outcome[0]} ${outcome[1]}`;
    };
    expect(code(NOW + future)).toBe('accepted');
    expect(code(NOW + future + 1)).toBe('timestamp_in_future /timestamp');
    expect(code(NOW - past)).toBe('accepted');
    expect(code(NOW - past - 1)).toBe('timestamp_too_old /timestamp');
  });

  it('bounds apply to the corrected time', () => {
    const skewMs = 40 * DAY_MS;
    expect(verdict(at('Search', { timestamp: time(NOW - skewMs) }), skewMs)).toBe('accepted');
    expect(verdict(at('Search', { timestamp: time(NOW) }), skewMs)[2]).toMatch(
      /3456000 seconds ahead of receipt \(after correcting by 3456000000 ms/,
    );
    expect(verdict(at('Search', { timestamp: time(NOW + 2 * DAY_MS) }), -2 * DAY_MS)).toBe('accepted');
  });

  it('is corrected only where it differs by more than a request may take', () => {
    const tolerance = LIMITS.skewToleranceSeconds * 1000;
    expect(clockSkewMs(undefined, NOW)).toBe(0);
    expect(clockSkewMs(time(NOW - tolerance), NOW)).toBe(0);
    expect(clockSkewMs(time(NOW + tolerance), NOW)).toBe(0);
    expect(clockSkewMs(time(NOW - tolerance - 1), NOW)).toBe(tolerance + 1);
    expect(clockSkewMs(time(NOW + tolerance + 1), NOW)).toBe(-tolerance - 1);
  });

  it('is not corrected for a body that may have been stored: it keeps the times of its events', () => {
    const most = LIMITS.clockBehindSeconds * 1000;
    expect(clockSkewMs(time(NOW - most), NOW)).toBe(most);
    expect(clockSkewMs(time(NOW - most - 1), NOW)).toBe(0);
    expect(clockSkewMs(time(NOW - 60 * DAY_MS), NOW)).toBe(0);
    expect(clockSkewMs(time(NOW + 60 * DAY_MS), NOW)).toBe(-60 * DAY_MS);
  });

  it('is corrected by years for a page, which stamps each sending', () => {
    for (const days of [1, 60, 3_650, -3_650])
      expect(clockSkewMs(time(NOW - days * DAY_MS), NOW, true)).toBe(days * DAY_MS);
  });
});

describe('raw JSON', () => {
  it('reads back as the value it was made of', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(rawJson(value))).toEqual(value);
        expect(rawJson(value).replaceAll(/-0(?![.\d])/g, '0')).toBe(
          JSON.stringify(value).replaceAll(/-0(?![.\d])/g, '0'),
        );
      }),
    );
    const odd = [Infinity, -Infinity, -0, { a: [], '': {} }];
    expect(JSON.parse(rawJson(odd))).toEqual(odd);
    expect(rawJson(nested(100_000))).toHaveLength(100_000 * 6 - 4);
  });
});
