import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startNats, type TestNats } from '../support/nats.ts';
import { anEvent, startReceiver, type Receiver } from './receiver.ts';

const SHOP = 'https://shop.example';
let nats: TestNats;
let receiver: Receiver;

beforeAll(async () => {
  nats = await startNats();
  receiver = await startReceiver(nats.url);
});

afterAll(async () => {
  await receiver?.close();
  await nats?.stop();
});

async function send(key: string, origin?: string): Promise<{ status: number; code?: string; headers: Headers }> {
  const headers = origin === undefined ? {} : { origin };
  const response = await receiver.post({ instrumentationKey: key, events: [anEvent()] }, { headers });
  return { status: response.status, headers: response.headers, ...((await response.json()) as { code?: string }) };
}

const KNOWN = 'Content-Type, Content-Encoding, X-Instrumentation-Key';

/** The headers that a page may send, by a preflight's answer. */
async function preflight(path: string, names: string): Promise<string | null> {
  const headers = ['Host', 'x', 'Origin', SHOP, 'Access-Control-Request-Method', 'POST'];
  const asked = request(`${receiver.url}${path}`, {
    method: 'OPTIONS',
    headers: [...headers, 'Access-Control-Request-Headers', Buffer.from(names).toString('latin1')],
  }).end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  response.resume();
  expect([response.statusCode, response.headers['access-control-allow-origin']]).toEqual([204, SHOP]);
  return response.headers['access-control-allow-headers']!;
}

describe('a preflight', () => {
  it('lets any origin ask, since it carries no key, and is remembered', async () => {
    const response = await fetch(`${receiver.url}/api/events`, {
      method: 'OPTIONS',
      headers: {
        origin: SHOP,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type,x-instrumentation-key,content-encoding',
      },
    });
    expect(response.status).toBe(204);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'access-control-allow-origin': SHOP,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': 'Content-Type, Content-Encoding, X-Instrumentation-Key',
      'access-control-max-age': '86400',
      vary: 'Origin',
    });
  });

  it.each([
    'traceparent, tracestate, baggage',
    'sentry-trace,x-datadog-trace-id, X-Request-Id',
    "!#$%&'*+-.^_`|~9a",
    Array.from({ length: 100 }, (_, index) => `x-header-${index}`).join(','),
  ])('allows the headers that a page asks for: %s', async (names) => {
    const allowed = await preflight('/api/events', names);
    for (const name of names.split(',')) expect(allowed).toContain(name.trim());
    expect(allowed).toContain('X-Instrumentation-Key');
  });

  it.each(['a b', 'a;b', 'a,,b', '<a>', 'å', `a${',a'.repeat(3_000)}`, '*, "', ' '])(
    'echoes only a list of names (case %#)',
    async (names) => {
      expect(await preflight('/api/events', names)).toBe(KNOWN);
    },
  );

  it('succeeds at every address, so that a page can read what is wrong with it', async () => {
    for (const path of ['/api/event', '/healthz', '//api/events/', '/'])
      expect(await preflight(path, 'traceparent'), path).toBe(`${KNOWN}, traceparent`);
  });
});

describe('an address', () => {
  const post = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${receiver.url}${path}`, {
      method: 'POST',
      headers: { origin: SHOP, 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ instrumentationKey: key, events: [anEvent()] }),
    });
  let key: string;
  beforeAll(async () => void (key = await receiver.createKey()));

  it.each(['/api/events/', '//api/events', '//api//events//', '/api/events/?dryRun=1'])(
    'may have more slashes than it needs: %s',
    async (path) => {
      expect((await post(path)).status).toBe(path.endsWith('1') ? 200 : 202);
    },
  );

  it('that is none or takes another method says so to a page as well, with a code, and is counted', async () => {
    const refusals: [string, string, number, string, string | null][] = [
      ['POST', '/api/event', 404, 'not_found', null],
      ['GET', '/api/events', 405, 'method_not_allowed', 'POST, OPTIONS'],
      ['PUT', '/api/events/', 405, 'method_not_allowed', 'POST, OPTIONS'],
      ['POST', '/metrics', 405, 'method_not_allowed', 'GET, HEAD'],
    ];
    for (const [method, path, status, code, allow] of refusals) {
      const line = `spor_ingest_requests_total{code="${code}"`;
      const before = (await receiver.metric(line)) || 0;
      const response = await fetch(`${receiver.url}${path}`, { method, headers: { origin: SHOP } });
      expect([response.status, response.headers.get('allow')]).toEqual([status, allow]);
      expect(response.headers.get('access-control-allow-origin')).toBe(SHOP);
      expect(await response.json()).toEqual({ code, message: expect.any(String) as string });
      expect(await receiver.metric(line)).toBe(before + 1);
    }
  });

  it('answers HEAD where it answers GET', async () => {
    for (const path of ['/healthz', '/readyz', '/metrics', '/openapi.json']) {
      const [get, head] = await Promise.all([
        fetch(`${receiver.url}${path}`),
        fetch(`${receiver.url}${path}`, { method: 'HEAD' }),
      ]);
      expect([head.status, head.headers.get('content-type')]).toEqual([get.status, get.headers.get('content-type')]);
      expect(await head.text()).toBe('');
    }
    const page = { headers: { origin: SHOP } };
    expect((await fetch(`${receiver.url}/metrics`, page)).headers.get('access-control-allow-origin')).toBeNull();
    expect((await fetch(`${receiver.url}/healthz`, page)).headers.get('access-control-allow-origin')).toBe(SHOP);
  });
});

describe('a refusal', () => {
  it('says what the header of its status must say', async () => {
    const body = { events: [anEvent()] };
    const without = await receiver.post(body, { headers: { origin: SHOP } });
    expect([without.status, without.headers.get('www-authenticate')]).toEqual([
      401,
      'ApiKey realm="spor", header="X-Instrumentation-Key"',
    ]);
    const coded = await receiver.post(body, { headers: { origin: SHOP, 'content-encoding': 'compress' } });
    expect([coded.status, coded.headers.get('accept-encoding')]).toEqual([415, 'gzip, deflate, br, zstd']);
  });
});

describe('a POST from a page', () => {
  it('is held to the origins of its key, and the page can read the answer either way', async () => {
    const key = await receiver.createKey({ origins: [SHOP, 'https://Other.example'] });
    for (const origin of [SHOP, 'https://other.example']) {
      const { status, headers } = await send(key, origin);
      expect(status).toBe(202);
      expect(headers.get('access-control-allow-origin')).toBe(origin);
      expect(headers.get('access-control-expose-headers')).toBe('Retry-After, RateLimit, RateLimit-Policy');
    }
    for (const origin of ['https://evil.example', 'http://shop.example', `${SHOP}.evil.example`, 'null']) {
      const refused = await send(key, origin);
      expect([refused.status, refused.code]).toEqual([403, 'origin_not_allowed']);
      expect(refused.headers.get('access-control-allow-origin')).toBe(origin);
    }
    expect(await send(key)).toMatchObject({ status: 403, code: 'origin_not_allowed' });
  });

  it('may come from an app, a file or a host in another script, if the key lists it', async () => {
    const key = await receiver.createKey({ origins: ['capacitor://localhost', 'https://rødgrød.example', 'null'] });
    for (const origin of ['capacitor://localhost', 'https://xn--rdgrd-vuad.example', 'null']) {
      const { status, headers } = await send(key, origin);
      expect([status, headers.get('access-control-allow-origin')]).toEqual([202, origin]);
    }
    expect((await send(key, 'ionic://localhost')).status).toBe(403);
  });

  it('may come from anywhere where the key lists no origins', async () => {
    const key = await receiver.createKey();
    expect((await send(key, 'https://anywhere.example')).status).toBe(202);
    const without = await send(key);
    expect([without.status, without.headers.get('access-control-allow-origin')]).toEqual([202, null]);
  });

  it('may not use a server key', async () => {
    const key = await receiver.createKey({ kind: 'server' });
    expect((await send(key)).status).toBe(202);
    const refused = await send(key, SHOP);
    expect([refused.status, refused.code]).toEqual([403, 'kind_not_allowed']);
    expect(refused.headers.get('access-control-allow-origin')).toBe(SHOP);
  });

  it('can read why a key is unknown', async () => {
    const { status, code, headers } = await send('ik_nobody', SHOP);
    expect([status, code]).toEqual([401, 'key_unknown']);
    expect(headers.get('access-control-allow-origin')).toBe(SHOP);
  });
});
