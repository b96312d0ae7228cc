import { createPrivateKey, X509Certificate } from 'node:crypto';
import {
  credsAuthenticator,
  nkeyAuthenticator,
  nkeys,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
  type Authenticator,
  type NodeConnectionOptions,
} from '@nats-io/transport-node';
import { ConfigError, oneOf, secret, text } from '../runtime/config.ts';
import { readServers } from './servers.ts';

/** How a process reaches the stream servers, and who it is there. */
export const NATS_SETTINGS = {
  natsUrl: text(
    'NATS_URL',
    'stream servers, comma-separated; user:password@ or token@ before the host is used',
    'nats://127.0.0.1:4222',
  ),
  natsUser: text('NATS_USER', 'user name at the stream servers', ''),
  natsPassword: secret('NATS_PASSWORD', 'password of NATS_USER'),
  natsToken: secret('NATS_TOKEN', 'token for the stream servers'),
  natsNkey: secret('NATS_NKEY', 'seed of the identity (nkey) at the stream servers'),
  natsCreds: secret('NATS_CREDS', 'text of a credentials file: a JWT and its seed'),
  natsInboxPrefix: text(
    'NATS_INBOX_PREFIX',
    'subject of replies; empty: _INBOX, with the user name or public nkey if there is one',
    '',
  ),
  natsTls: oneOf(
    'NATS_TLS',
    'TLS if the server offers it, always, or before the server says anything',
    ['offered', 'required', 'first'],
    'offered',
  ),
  natsCa: secret('NATS_CA', 'PEM of the authorities that sign server certificates; empty: those of Node'),
  natsCert: secret('NATS_CERT', 'PEM of the client certificate'),
  natsKey: secret('NATS_KEY', 'PEM of the private key of NATS_CERT'),
};

/** Values of NATS_SETTINGS. Absent ones are not used. */
export type NatsSettings = Pick<Record<keyof typeof NATS_SETTINGS, string>, 'natsUrl'> & {
  [K in Exclude<keyof typeof NATS_SETTINGS, 'natsUrl' | 'natsTls'>]?: string;
} & { natsTls?: 'offered' | 'required' | 'first' };

/** Checks before a start that settings fit together. @throws ConfigError listing every fault */
export function checkConnection<T extends NatsSettings>(settings: T): T {
  connectionOptions(settings);
  return settings;
}

interface Login {
  /** Name for messages. */
  form: string;
  authenticator: Authenticator;
  /** Token of the inbox, so that no other identity can read the replies. */
  inbox?: string;
}

/** Client options of some settings. @throws ConfigError listing every fault */
export function connectionOptions(settings: NatsSettings): NodeConnectionOptions {
  const faults: string[] = [];
  const attempt = <T>(make: () => T): T | undefined => {
    try {
      return make();
    } catch (error) {
      faults.push(...(error instanceof ConfigError ? error.faults : [(error as Error).message]));
      return undefined;
    }
  };
  const servers = attempt(() => readServers(settings.natsUrl));
  const logins = [
    attempt(() => (servers ? urlLogin(servers) : undefined)),
    attempt(() => userLogin(settings)),
    settings.natsToken ? { form: 'NATS_TOKEN', authenticator: tokenAuthenticator(settings.natsToken) } : undefined,
    attempt(() => nkeyLogin(settings.natsNkey)),
    attempt(() => credsLogin(settings.natsCreds)),
  ].filter((login): login is Login => login !== undefined);
  if (logins.length > 1) faults.push(`${logins.map(({ form }) => form).join(' and ')} are both set: set one of them`);
  const tls = attempt(() => tlsOptions(settings, servers?.tls ?? false));
  if (faults.length > 0) throw new ConfigError(faults);
  const [login] = logins;
  const inboxPrefix = settings.natsInboxPrefix || (login?.inbox ? `_INBOX.${login.inbox}` : undefined);
  return {
    servers: servers!.hosts,
    ...(login ? { authenticator: login.authenticator } : {}),
    ...(tls ? { tls } : {}),
    ...(inboxPrefix ? { inboxPrefix } : {}),
  };
}

function urlLogin({ user, password, token }: ReturnType<typeof readServers>): Login | undefined {
  if (token !== undefined) return { form: 'the token in NATS_URL', authenticator: tokenAuthenticator(token) };
  if (user === undefined) return undefined;
  return { form: 'the user in NATS_URL', ...byPassword(user, password ?? '') };
}

function userLogin({ natsUser, natsPassword }: NatsSettings): Login | undefined {
  if (!natsUser && !natsPassword) return undefined;
  if (!natsUser) throw new ConfigError(['NATS_PASSWORD is set without NATS_USER: set both']);
  if (!natsPassword) throw new ConfigError(['NATS_USER is set without NATS_PASSWORD: set both']);
  return { form: 'NATS_USER', ...byPassword(natsUser, natsPassword) };
}

function byPassword(user: string, password: string): Pick<Login, 'authenticator' | 'inbox'> {
  const authenticator = usernamePasswordAuthenticator(user, password);
  return /^[\w-]+$/.test(user) ? { authenticator, inbox: user } : { authenticator };
}

function nkeyLogin(seed: string | undefined): Login | undefined {
  if (!seed) return undefined;
  const bytes = Buffer.from(seed);
  const inbox = userKey(bytes, 'NATS_NKEY is not the seed of a user: it begins with SU and has 58 characters');
  return { form: 'NATS_NKEY', authenticator: nkeyAuthenticator(bytes), inbox };
}

function credsLogin(creds: string | undefined): Login | undefined {
  if (!creds) return undefined;
  const fault = 'NATS_CREDS holds no JWT with its seed: use the whole credentials file, as nsc writes it';
  const seed = /-{3,}[^\n]*SEED[^\n]*-{3,}\s+(\S+)/.exec(creds)?.[1];
  if (!/-{3,}[^\n]*JWT[^\n]*-{3,}\s+\S+\.\S+\.\S+/.test(creds) || seed === undefined) throw new ConfigError([fault]);
  userKey(Buffer.from(seed), fault);
  return { form: 'NATS_CREDS', authenticator: credsAuthenticator(Buffer.from(`${creds.trim()}\n`)) };
}

/** Public key of a user's seed. */
function userKey(seed: Uint8Array, fault: string): string {
  try {
    const key = nkeys.fromSeed(seed).getPublicKey();
    if (key.startsWith('U')) return key;
  } catch {
    // Not a seed at all: the same fault.
  }
  throw new ConfigError([fault]);
}

function tlsOptions(
  { natsTls, natsCa, natsCert, natsKey }: NatsSettings,
  byUrl: boolean,
): NodeConnectionOptions['tls'] | undefined {
  if (natsCert && !natsKey) throw new ConfigError(['NATS_CERT is set without NATS_KEY: set both']);
  if (natsKey && !natsCert) throw new ConfigError(['NATS_KEY is set without NATS_CERT: set both']);
  if (natsCa) certificate('NATS_CA', natsCa);
  if (natsCert && natsKey) checkPair(natsCert, natsKey);
  if (!byUrl && !natsCa && !natsCert && (natsTls ?? 'offered') === 'offered') return undefined;
  return {
    ...(natsTls === 'first' ? { handshakeFirst: true } : {}),
    ...(natsCa ? { ca: natsCa } : {}),
    ...(natsCert && natsKey ? { cert: natsCert, key: natsKey } : {}),
  };
}

function checkPair(cert: string, key: string): void {
  const parsed = certificate('NATS_CERT', cert);
  try {
    if (parsed.checkPrivateKey(createPrivateKey(key))) return;
  } catch {
    throw new ConfigError(['NATS_KEY is not a private key in PEM without a passphrase']);
  }
  throw new ConfigError(['NATS_KEY is not the key of NATS_CERT: use the pair that was made together']);
}

/** The first certificate of a PEM text, within its time. */
function certificate(name: string, pem: string): X509Certificate {
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(pem);
  } catch {
    throw new ConfigError([`${name} is not a certificate in PEM: it begins with -----BEGIN CERTIFICATE-----`]);
  }
  if (Date.parse(parsed.validTo) < Date.now()) {
    throw new ConfigError([`${name} expired on ${parsed.validTo}: use a new certificate, or correct the clock`]);
  }
  return parsed;
}
