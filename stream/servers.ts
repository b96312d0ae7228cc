import { ConfigError } from '../runtime/config.ts';

/** Addresses of NATS_URL, and the login in front of them. */
export interface Servers {
  /** `host:port` each. */
  hosts: string[];
  /** A scheme asks for TLS. */
  tls: boolean;
  user?: string;
  password?: string;
  token?: string;
}

/**
 * Parse NATS_URL: `[nats://|tls://][user:password@|token@]host[:port]`, separated by commas.
 *
 * The client ignores a login in a URL, so Spor reads it.
 * @throws ConfigError for another scheme, an address that is none, or two logins
 */
export function readServers(urls: string): Servers {
  const servers = urls
    .split(',')
    .map((url) => url.trim())
    .filter((url) => url !== '')
    .map((url) => readServer(url, withoutLogin(urls)));
  const logins = [...new Set(servers.map(({ login }) => login).filter((login) => login !== undefined))];
  if (logins.length > 1) throw new ConfigError(['NATS_URL has several logins: one process has one identity']);
  if (servers.length === 0) throw new ConfigError(['NATS_URL names no server: write nats://<host>:4222']);
  return { hosts: servers.map(({ host }) => host), tls: servers.some(({ tls }) => tls), ...loginOf(logins[0]) };
}

function readServer(url: string, shown: string): { host: string; tls: boolean; login: string | undefined } {
  const {
    scheme = 'nats',
    login,
    host,
  } = (/^(?:(?<scheme>[a-z]+):\/\/)?(?:(?<login>.*)@)?(?<host>[^/?#]+)\/?$/i.exec(url)?.groups as
    { scheme?: string; login?: string; host: string } | undefined) ?? { host: '' };
  const known = ['nats', 'tls'].includes(scheme.toLowerCase());
  if (!known) throw new ConfigError([`NATS_URL=${shown} has the scheme ${scheme}: use nats or tls`]);
  if (!URL.canParse(`http://${host}`)) throw new ConfigError([`NATS_URL=${shown} is not nats://<host>:<port>`]);
  return { host, tls: scheme.toLowerCase() === 'tls', login: login || undefined };
}

function loginOf(login: string | undefined): Pick<Servers, 'user' | 'password' | 'token'> {
  if (login === undefined) return {};
  const colon = login.indexOf(':');
  try {
    if (colon < 0) return { token: decodeURIComponent(login) };
    return { user: decodeURIComponent(login.slice(0, colon)), password: decodeURIComponent(login.slice(colon + 1)) };
  } catch {
    throw new ConfigError(['NATS_URL has a login with a broken %: write %25 for a percent sign']);
  }
}

/** NATS_URL for messages: nothing before the last @ of an address. */
export function withoutLogin(urls: string): string {
  return urls.replace(/(^|:\/\/)(?:(?!:\/\/).)*@/g, '$1');
}
