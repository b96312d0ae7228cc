import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nkeys } from '@nats-io/transport-node';
import { afterAll, describe, expect, it } from 'vitest';
import { readIngestConfig } from '../../ingest/config.ts';
import { createLog } from '../../runtime/log.ts';
import { ConfigError } from '../../runtime/config.ts';
import { connectNats } from '../../stream/nats.ts';
import { withoutLogin } from '../../stream/servers.ts';
import { startNats, type TestNats } from '../support/nats.ts';

const TLS = fileURLToPath(new URL('./tls/', import.meta.url));
const dir = await mkdtemp(join(tmpdir(), 'spor-test-credentials-'));
afterAll(() => rm(dir, { recursive: true, force: true }));

const user = nkeys.createUser();
const stranger = nkeys.createUser();
const seedOf = (pair: typeof user): string => Buffer.from(pair.getSeed()).toString();

/** What connecting with these settings comes to: the server's version, or the faults. */
async function tryTo(env: Record<string, string>): Promise<string> {
  try {
    const config = readIngestConfig(env);
    const log = createLog('test', 'silent');
    const connection = await connectNats({ url: config.natsUrl, access: config, name: 'test', log });
    const inbox = (connection as unknown as { options: { inboxPrefix?: string } }).options.inboxPrefix;
    await connection.close();
    return `connected, replies to ${inbox ?? '_INBOX'}`;
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.join('; ');
    throw error;
  }
}

async function file(name: string, text: string): Promise<string> {
  await writeFile(join(dir, name), text);
  return join(dir, name);
}

async function withServer(extraConfig: string, task: (nats: TestNats, host: string) => Promise<void>): Promise<void> {
  const nats = await startNats({ extraConfig, open: true });
  try {
    await task(nats, `127.0.0.1:${nats.port}`);
  } finally {
    await nats.stop();
  }
}

const TLS_BLOCK = `cert_file: "${TLS}server.pem", key_file: "${TLS}server.key"`;

describe('a login', () => {
  it('of every form the client knows is used, from a setting, a file or the URL', async () => {
    const users = `authorization { users: [{ user: "ann", password: "a:b@c" }, { nkey: ${user.getPublicKey()} }] }`;
    await withServer(users, async (_, host) => {
      const url = `nats://${host}`;
      const password = await file('password', 'a:b@c\n');
      const seed = await file('seed', `${seedOf(user)}\n`);
      expect(await tryTo({ NATS_URL: url, NATS_USER: 'ann', NATS_PASSWORD: 'a:b@c' })).toMatch(
        /^connected.*_INBOX.ann$/,
      );
      expect(await tryTo({ NATS_URL: url, NATS_USER: 'ann', NATS_PASSWORD_FILE: password })).toMatch(/^connected/);
      expect(await tryTo({ NATS_URL: `nats://ann:a%3Ab%40c@${host}` })).toMatch(/^connected/);
      expect(await tryTo({ NATS_URL: url, NATS_NKEY_FILE: seed })).toContain(`_INBOX.${user.getPublicKey()}`);
      expect(await tryTo({ NATS_URL: url, NATS_NKEY: seedOf(user) })).toMatch(/^connected/);
      expect(await tryTo({ NATS_URL: url, NATS_NKEY: seedOf(user), NATS_INBOX_PREFIX: '_R.x' })).toMatch(/_R.x$/);
    });
    // So services may have their identities before the server has its users.
    await withServer('', async (_, host) => {
      expect(await tryTo({ NATS_URL: `nats://${host}`, NATS_NKEY: seedOf(user) })).toMatch(/^connected/);
    });
    await withServer('authorization { token: "s3cr3t" }', async (_, host) => {
      const token = await file('token', 's3cr3t');
      expect(await tryTo({ NATS_URL: `nats://${host}`, NATS_TOKEN_FILE: token })).toMatch(/^connected/);
      expect(await tryTo({ NATS_URL: `nats://s3cr3t@${host}` })).toMatch(/^connected/);
    });
  });

  it('that the server does not know is named with what to do, and so is none at all', async () => {
    await withServer(`authorization { users: [{ nkey: ${user.getPublicKey()} }] }`, async (_, host) => {
      const refused = `the stream server nats://${host} refuses the credentials`;
      expect(await tryTo({ NATS_URL: `nats://${host}` })).toContain(refused);
      expect(await tryTo({ NATS_URL: `nats://${host}`, NATS_NKEY: seedOf(stranger) })).toContain(refused);
      const wrong = await tryTo({ NATS_URL: `nats://ann:pa,ss@w0rd@${host}` });
      expect(wrong).toMatch(/NATS_NKEY_FILE|NATS_URL/);
      expect(wrong).not.toMatch(/pa,|w0rd/);
    });
  });

  it.each([
    [{ NATS_URL: 'http://h:1' }, 'has the scheme http: use nats or tls'],
    [{ NATS_URL: 'nats://a:b@h1,nats://c:d@h2' }, 'NATS_URL has several logins'],
    [{ NATS_URL: 'nats://a:b@h', NATS_TOKEN: 't' }, 'the user in NATS_URL and NATS_TOKEN are both set'],
    [{ NATS_USER: 'ann' }, 'NATS_USER is set without NATS_PASSWORD'],
    [{ NATS_PASSWORD: 'x' }, 'NATS_PASSWORD is set without NATS_USER'],
    [{ NATS_NKEY: 'SUNOSEED' }, 'NATS_NKEY is not the seed of a user'],
    [{ NATS_NKEY: Buffer.from(nkeys.createAccount().getSeed()).toString() }, 'NATS_NKEY is not the seed of a user'],
    [{ NATS_CREDS: 'nothing' }, 'NATS_CREDS holds no JWT with its seed'],
    [{ NATS_CA: 'nothing' }, 'NATS_CA is not a certificate in PEM'],
    [{ NATS_CERT_FILE: `${TLS}client.pem` }, 'NATS_CERT is set without NATS_KEY'],
    [
      { NATS_CERT_FILE: `${TLS}client.pem`, NATS_KEY_FILE: `${TLS}stranger.key` },
      'NATS_KEY is not the key of NATS_CERT',
    ],
    [{ NATS_TOKEN: 't', NATS_TOKEN_FILE: '/x' }, 'NATS_TOKEN and NATS_TOKEN_FILE are both set'],
    [{ NATS_TOKEN_FILE: '/nowhere/token' }, 'NATS_TOKEN_FILE=/nowhere/token does not exist'],
    [{ NATS_TOKEN_FILE: '/' }, 'NATS_TOKEN_FILE=/ is a folder'],
    [{ NATS_TOKEN_FILE: '/dev/null' }, 'NATS_TOKEN_FILE=/dev/null is empty'],
  ])('that does not fit is refused before anything starts: %o', (env, fault) => {
    expect(() => readIngestConfig(env as Record<string, string>)).toThrow(fault);
  });

  it('is in no message about an address', () => {
    expect(withoutLogin('nats://a:b@h1:1,nats://c@h2')).toBe('nats://h1:1,nats://h2');
    expect(withoutLogin('tls://a:p,w@x@h1')).toBe('tls://h1');
    expect(withoutLogin('a:b@h1:4222')).toBe('h1:4222');
    expect(withoutLogin('nats://h1:1,nats://h2')).toBe('nats://h1:1,nats://h2');
  });
});

describe('a JWT with its seed', () => {
  it('is used from a credentials file', async () => {
    const { config, creds } = operatorMode();
    await withServer(config, async (_, host) => {
      const path = await file('user.creds', creds);
      expect(await tryTo({ NATS_URL: `nats://${host}`, NATS_CREDS_FILE: path })).toMatch(/^connected/);
      const other = creds.replace(/SU[A-Z2-7]{56}/, seedOf(stranger));
      expect(await tryTo({ NATS_URL: `nats://${host}`, NATS_CREDS: other })).toContain('refuses the credentials');
    });
  });
});

describe('TLS', () => {
  it('is checked against the authority, and its faults are named', async () => {
    await withServer(`tls { ${TLS_BLOCK} }`, async (_, host) => {
      const url = `nats://${host}`;
      expect(await tryTo({ NATS_URL: url, NATS_CA_FILE: `${TLS}ca.pem` })).toMatch(/^connected/);
      expect(await tryTo({ NATS_URL: url, NATS_CA: await readFile(`${TLS}ca.pem`, 'utf8') })).toMatch(/^connected/);
      expect(await tryTo({ NATS_URL: `tls://${host}` })).toContain('no known authority signed');
      expect(await tryTo({ NATS_URL: url, NATS_CA_FILE: `${TLS}other-ca.pem` })).toContain('set NATS_CA_FILE');
      const first = { NATS_URL: url, NATS_CA_FILE: `${TLS}ca.pem`, NATS_TLS: 'first' };
      expect(await tryTo(first)).toContain('set NATS_TLS=required instead of first');
    });
    await withServer(`tls { ${TLS_BLOCK}, handshake_first: auto }`, async (_, host) => {
      const first = { NATS_URL: `nats://${host}`, NATS_CA_FILE: `${TLS}ca.pem`, NATS_TLS: 'first' };
      expect(await tryTo(first)).toMatch(/^connected/);
    });
    await withServer('', async (_, host) => {
      expect(await tryTo({ NATS_URL: `tls://${host}` })).toContain('offers no TLS');
    });
  });

  it('with a client certificate: the right one connects, another one and none are refused by name', async () => {
    await withServer(`tls { ${TLS_BLOCK}, ca_file: "${TLS}ca.pem", verify: true, timeout: 5 }`, async (_, host) => {
      const env = { NATS_URL: `nats://${host}`, NATS_CA_FILE: `${TLS}ca.pem` };
      const pair = (name: string): Record<string, string> => ({
        NATS_CERT_FILE: `${TLS}${name}.pem`,
        NATS_KEY_FILE: `${TLS}${name}.key`,
      });
      expect(await tryTo({ ...env, ...pair('client') })).toMatch(/^connected/);
      expect(await tryTo({ ...env, ...pair('stranger') })).toContain('refuses the client certificate');
    });
  });
});

/** A server in operator mode with one account and one user, as nsc makes them (JWT claims of nats-io/jwt v2). */
function operatorMode(): { config: string; creds: string } {
  const [operator, account, system] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createAccount()];
  const jwt = (issuer: typeof operator, subject: string, nats: Record<string, unknown>): string => {
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = { jti: 'test', iat: 1, iss: issuer.getPublicKey(), sub: subject, nats: { version: 2, ...nats } };
    const body = `${part({ typ: 'JWT', alg: 'ed25519-nkey' })}.${part(claims)}`;
    return `${body}.${Buffer.from(issuer.sign(Buffer.from(body))).toString('base64url')}`;
  };
  const limits = { subs: -1, conn: -1, leaf: -1, imports: -1, exports: -1, data: -1, payload: -1, wildcards: true };
  const jetstream = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
  const accountJwt = jwt(operator, account.getPublicKey(), { type: 'account', limits: { ...limits, ...jetstream } });
  const systemJwt = jwt(operator, system.getPublicKey(), { type: 'account', limits });
  const userLimits = { subs: -1, data: -1, payload: -1 };
  const userJwt = jwt(account, user.getPublicKey(), { type: 'user', pub: {}, sub: {}, ...userLimits });
  return {
    config: `operator: ${jwt(operator, operator.getPublicKey(), { type: 'operator' })}
resolver: MEMORY
system_account: ${system.getPublicKey()}
resolver_preload: { ${account.getPublicKey()}: ${accountJwt}, ${system.getPublicKey()}: ${systemJwt} }`,
    creds: `-----BEGIN NATS USER JWT-----
${userJwt}
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
${seedOf(user)}
------END USER NKEY SEED------
`,
  };
}
