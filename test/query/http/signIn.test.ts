import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { personRights } from '../../../query/access/person.ts';
import { readQueryServerConfig } from '../../../query/config.ts';
import { startQueryService } from '../../../query/service.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import { createLog } from '../../../runtime/log.ts';
import { Resources } from '../../../runtime/resources.ts';
import { freePort } from '../../../scripts/freePort.ts';
import { commitRows } from '../../support/lakeFixture.ts';
import { asRole } from '../../support/locks.ts';
import { startNats, type TestNats } from '../../support/nats.ts';
import { startOidcProvider, type TestOidcProvider } from '../../support/oidcProvider.ts';
import { until } from '../../support/until.ts';

const ROLES = {
  olga: ['operator'],
  anna: ['analyst:shop', 'analyst:other'],
  mia: 'merchandiser:shop',
  ivan: ['integrator:shop/app', 'something-else'],
  nobody: [],
};

let dir: string;
let nats: TestNats;
let provider: TestOidcProvider;
let url: string;
const resources = new Resources();

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-sign-in-'));
  nats = await startNats();
  const storage = await openLocalStorage(join(dir, 'lake'));
  const event = { type: 'Search', event_time: '2026-11-23T10:00:00Z', phrase: 'shoes' };
  for (const tenant of ['shop', 'other', 'third']) await commitRows(storage, tenant, [{ ...event, event_id: tenant }]);
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  provider = await startOidcProvider(await freePort(), { redirectUri: `${url}/auth/callback`, roles: ROLES });
  const config = readQueryServerConfig({
    NATS_URL: asRole(nats.url, 'query'),
    LAKE_URL: `file:${join(dir, 'lake')}`,
    WORK_DIR: join(dir, 'work'),
    LAKE_PORT: String(port),
    LAKE_PUBLIC_URL: url,
    OIDC_ISSUER: provider.issuer,
    OIDC_CLIENT_ID: 'spor',
    OIDC_CLIENT_SECRET: 'the-secret-of-spor-at-the-provider',
    OIDC_SCOPES: 'openid email spor',
    LAKE_MARTS_SECONDS: '0',
  });
  await startQueryService({ config, log: createLog('test', process.env.TEST_LOG ?? 'silent'), resources });
});
afterAll(async () => {
  await resources.close();
  await provider?.stop();
  await nats?.stop();
  await rm(dir, { recursive: true, force: true });
});

type Asked = Omit<RequestInit, 'headers'> & { headers?: Record<string, string> };

/** A browser: it keeps cookies, and follows redirects when told. */
class Browser {
  readonly #jar = new Map<string, string>();

  async ask(address: string, init: Asked = {}): Promise<Response> {
    const target = new URL(address, url);
    const cookie = [...this.#jar].flatMap(([key, value]) => {
      const [host, name] = key.split(' ');
      return host === target.host ? [`${name}=${value}`] : [];
    });
    const headers = { ...init.headers, ...(cookie.length === 0 ? {} : { cookie: cookie.join('; ') }) };
    const response = await fetch(target, { ...init, headers, redirect: 'manual' });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
      if (value === '') this.#jar.delete(`${target.host} ${name}`);
      else this.#jar.set(`${target.host} ${name}`, value!);
    }
    return response;
  }

  /** Follows redirects and fills in the provider's forms, up to the answer of the callback. */
  async signIn(login: string, to = '/console/?view=search'): Promise<Response> {
    let at = `/auth/login?to=${encodeURIComponent(to)}`;
    let response = await this.ask(at);
    for (let step = 0; step < 20; step++) {
      const location = response.headers.get('location');
      if (at.includes('/auth/callback') || (!location && !response.ok)) return response;
      if (location) {
        at = new URL(location, new URL(at, url)).href;
        response = await this.ask(at);
        continue;
      }
      const prompt = /name="prompt" value="(\w+)"/.exec(await response.text())![1]!;
      const action = at;
      response = await this.ask(action, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ prompt, login, password: 'x' }).toString(),
      });
    }
    throw new Error('the sign-in does not end');
  }

  async code(address: string, init: Asked = {}): Promise<unknown> {
    const response = await this.ask(address, init);
    return response.ok ? response.status : ((await response.json()) as { code: string }).code;
  }
}

const sql = (tenant?: string, own = true): Asked & { headers: Record<string, string> } => ({
  method: 'POST',
  headers: {
    'content-type': 'application/json',
    ...(own ? { origin: url } : {}),
    ...(tenant === undefined ? {} : { 'x-spor-tenant': tenant }),
  },
  body: JSON.stringify({ sql: 'select count(*) from events_all' }),
});

async function signedIn(login: string): Promise<Browser> {
  const browser = new Browser();
  expect((await browser.signIn(login)).headers.get('location')).toBe('/console/?view=search');
  await until(async () => (await browser.ask('/api/session')).ok);
  return browser;
}

describe('people sign in with a provider', () => {
  test('an analyst asks in SQL, of her tenants and no others, with a cookie that no page can read', async () => {
    const browser = new Browser();
    const answer = await browser.signIn('anna');
    expect(answer.status).toBe(302);
    expect(answer.headers.get('set-cookie')).toMatch(
      /^spor_session=st_[\w-]{27}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=43200$/,
    );
    await until(async () => (await browser.ask('/api/session')).ok);
    expect(await (await browser.ask('/api/session')).json()).toMatchObject({
      role: 'person',
      name: 'anna@shop.example',
      grants: [{ role: 'analyst', tenantId: 'shop' }, { tenantId: 'other' }],
      tenants: [{ tenantId: 'other' }, { tenantId: 'shop' }],
    });
    expect(await browser.code('/api/query', sql('shop'))).toBe(200);
    expect(await browser.code('/api/query', sql())).toBe('tenant_missing');
    expect(await browser.code('/api/query', sql('third'))).toBe('tenant_forbidden');
    expect(await browser.code('/api/tokens')).toBe('operator_required');
    expect(await browser.code('/api/usage?tenant=third')).toBe('tenant_forbidden');
    expect(await browser.code('/api/audit')).toBe(200);
    const body = JSON.stringify({ segmentId: 'app' });
    const key = { ...sql('shop'), body };
    expect(await browser.code('/api/keys', key)).toBe('role_required');
  });

  test('a merchandiser has reports and no SQL, an integrator keys of the segment, an operator everything', async () => {
    const [mia, ivan, olga] = [await signedIn('mia'), await signedIn('ivan'), await signedIn('olga')];
    expect(await mia.code('/api/reports/search_phrases?from=2026-11-23')).toBe(200);
    expect(await mia.code('/api/query', sql())).toBe('role_required');
    expect(await mia.code('/api/audit')).toBe('role_required');
    expect(await ivan.code('/api/reports/search_phrases')).toBe('role_required');
    const make = (segmentId: string): Asked => ({ ...sql('shop'), body: JSON.stringify({ segmentId }) });
    expect(await ivan.code('/api/keys', make('web'))).toBe('operator_required');
    const created = await ivan.ask('/api/keys', make('app'));
    const { id } = (await created.json()) as { id: string };
    expect(created.status).toBe(201);
    const web = (await (await olga.ask('/api/keys', make('web'))).json()) as { id: string };
    const revoke = { ...sql(), body: '{}' };
    expect(await ivan.code(`/api/keys/${web.id}/revoke`, revoke)).toBe('operator_required');
    expect(await ivan.code(`/api/keys/${id}/revoke`, revoke)).toBe(200);
    expect(await olga.code('/api/query', sql('third'))).toBe(200);
    const { changes } = (await (await olga.ask('/api/audit?action=key')).json()) as { changes: { by: string }[] };
    expect(changes.map(({ by }) => by.split('@')[0])).toEqual(['ivan', 'ivan', 'olga', 'ivan'].toSpliced(1, 1));
    const signIns = (await (await olga.ask('/api/audit?action=person.sign-in')).json()) as { changes: unknown[] };
    expect(signIns.changes.length).toBeGreaterThan(2);
    const { tokens } = (await (await olga.ask('/api/tokens')).json()) as { tokens: unknown[] };
    expect(tokens).toEqual([]);
  });

  test('one without a role is turned away, and so is an answer that this browser did not ask for', async () => {
    const browser = new Browser();
    const refused = await browser.signIn('nobody');
    expect([refused.status, await refused.json()]).toMatchObject([403, { code: 'role_missing' }]);
    expect(await browser.code('/api/session')).toBe('token_missing');
    const other = new Browser();
    expect(await other.code('/auth/callback?code=x&state=y')).toBe('sign_in_failed');
    await other.ask('/auth/login');
    expect(await other.code('/auth/callback?code=x&state=y')).toBe('sign_in_failed');
    const elsewhere = await new Browser().signIn('mia', '//evil.example/console/');
    expect(elsewhere.headers.get('location')).toBe('/console/');
  });

  test('a page of another site changes nothing with the cookie, and a session is no bearer token', async () => {
    const anna = new Browser();
    const answer = await anna.signIn('anna');
    const secret = /spor_session=([^;]+)/.exec(answer.headers.get('set-cookie')!)![1]!;
    await until(async () => (await anna.ask('/api/session')).ok);
    const evil = { ...sql('shop', false).headers, origin: 'https://evil.example' };
    expect(await anna.code('/api/query', { ...sql('shop'), headers: evil })).toBe('session_cross_site');
    expect(await anna.code('/api/query', sql('shop', false))).toBe('session_cross_site');
    const fetched = { ...sql('shop', false).headers, 'sec-fetch-site': 'same-origin' };
    expect(await anna.code('/api/query', { ...sql('shop'), headers: fetched })).toBe(200);
    expect(await anna.code('/auth/logout', { method: 'POST', headers: { origin: 'https://evil.example' } })).toBe(
      'session_cross_site',
    );
    const bearer = { headers: { authorization: `Bearer ${secret}` } };
    expect(await new Browser().code('/api/session', bearer)).toBe('token_unknown');
  });

  test('a sign-out ends the session everywhere, and names that of the provider', async () => {
    const anna = new Browser();
    const answer = await anna.signIn('anna');
    const cookie = answer.headers.get('set-cookie')!.split(';')[0]!;
    await until(async () => (await anna.ask('/api/session')).ok);
    const out = await anna.ask('/auth/logout', { method: 'POST', headers: { origin: url } });
    expect(await out.json()).toMatchObject({ providerUrl: expect.stringContaining(`${provider.issuer}/session/end`) });
    expect(await anna.code('/api/session')).toBe('token_missing');
    await until(async () => (await new Browser().code('/api/session', { headers: { cookie } })) === 'token_revoked');
  });

  test('the keys of the provider may change', async () => {
    await signedIn('mia');
    await provider.rotate();
    const mia = await signedIn('mia');
    expect(await mia.code('/api/session')).toBe(200);
  });
});

test('roles are read as they are written, and others are left out', () => {
  expect(personRights('operator analyst:shop integrator:shop/web')).toEqual({
    operator: true,
    grants: [
      { role: 'analyst', tenantId: 'shop', segmentIds: [] },
      { role: 'integrator', tenantId: 'shop', segmentIds: ['web'] },
    ],
    ignored: [],
  });
  const odd = ['analyst', 'analyst:', 'analyst:A', 'owner:shop', 'analyst:a/b/c', 'Operator', 'analyst:../x'];
  expect(personRights([...odd, 7, null])).toEqual({ operator: false, grants: [], ignored: odd });
  expect(personRights(undefined)).toEqual({ operator: false, grants: [], ignored: [] });
});

test('settings of a provider that cannot work are refused at start', () => {
  const env = { NATS_URL: 'nats://127.0.0.1:1', OIDC_ISSUER: 'http://login.example', LAKE_PUBLIC_URL: 'spor' };
  expect(() => readQueryServerConfig(env)).toThrow(
    /OIDC_ISSUER must begin with https.*LAKE_PUBLIC_URL.*OIDC_CLIENT_ID/s,
  );
});
