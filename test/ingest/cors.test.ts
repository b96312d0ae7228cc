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
});

describe('a POST from a page', () => {
  it('is held to the origins of its key, and the page can read the answer either way', async () => {
    const key = await receiver.createKey({ origins: [SHOP, 'https://Other.example'] });
    for (const origin of [SHOP, 'https://other.example']) {
      const { status, headers } = await send(key, origin);
      expect(status).toBe(202);
      expect(headers.get('access-control-allow-origin')).toBe(origin);
      expect(headers.get('access-control-expose-headers')).toBe('Retry-After');
    }
    for (const origin of ['https://evil.example', 'http://shop.example', `${SHOP}.evil.example`, 'null']) {
      const refused = await send(key, origin);
      expect([refused.status, refused.code]).toEqual([403, 'origin_not_allowed']);
      expect(refused.headers.get('access-control-allow-origin')).toBe(origin);
    }
    expect(await send(key)).toMatchObject({ status: 403, code: 'origin_not_allowed' });
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
