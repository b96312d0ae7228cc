import { connect } from 'node:net';
import { errors } from '@nats-io/transport-node';
import { ConfigError } from '../runtime/config.ts';

const UNTRUSTED = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
]);
const INFO_MS = 1_000;

/** The server does not know these credentials. */
export class RefusedCredentialsError extends ConfigError {}

/**
 * Explains a connection that the server, or its certificate, refuses for good.
 *
 * Undefined: the server is away or silent, and a later try may succeed.
 */
export async function explainRefusal(error: unknown, servers: string): Promise<ConfigError | undefined> {
  if (isUnknown(error)) return new RefusedCredentialsError([`the stream server ${servers} ${unknown(error)}`]);
  const advice = refusalOf(error) ?? (isSilence(error) ? await silentRefusal(servers) : undefined);
  return advice === undefined ? undefined : new ConfigError([`the stream server ${servers} ${advice}`]);
}

function isUnknown(error: unknown): error is Error {
  return error instanceof errors.AuthorizationError || error instanceof errors.UserAuthenticationExpiredError;
}

function unknown({ message }: Error): string {
  return (
    `refuses the credentials (${message}): set NATS_NKEY_FILE, NATS_CREDS_FILE, NATS_USER and NATS_PASSWORD, or ` +
    'NATS_TOKEN to an identity it knows; "npx spor access list" shows those of a folder'
  );
}

function refusalOf(error: unknown): string | undefined {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'CERT_HAS_EXPIRED') return 'has a certificate that has expired: renew it, or correct the clock';
  if (code === 'CERT_NOT_YET_VALID') return 'has a certificate that is not valid yet: correct the clock';
  if (code !== undefined && UNTRUSTED.has(code)) {
    return `has a certificate that no known authority signed (${code}): set NATS_CA_FILE to its authority`;
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return `has a certificate for another name: use a name of the certificate in NATS_URL (${message})`;
  }
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER') {
    return 'does not begin with TLS: set NATS_TLS=required instead of first';
  }
  if (message?.includes("does not support 'tls'")) {
    return 'offers no TLS: add a "tls" block to its configuration, or remove NATS_TLS, NATS_CA, NATS_CERT and tls://';
  }
  return undefined;
}

/** TLS 1.3 reports a refused client certificate only as silence, or as a closed connection. */
function isSilence(error: unknown): boolean {
  const { code, message } = error as NodeJS.ErrnoException;
  return error instanceof errors.TimeoutError || code === 'ECONNRESET' || Boolean(message?.includes('undefined error'));
}

async function silentRefusal(servers: string): Promise<string | undefined> {
  const [first = ''] = servers.split(',');
  const info = await readInfo(first.replace(/^[a-z]+:\/\//i, ''));
  if (info?.tls_verify) return 'refuses the client certificate: set NATS_CERT_FILE and NATS_KEY_FILE to one it trusts';
  return undefined;
}

/** First line that a server sends by itself (NATS client protocol, INFO). Undefined: none in time. */
function readInfo(host: string): Promise<{ tls_verify?: boolean } | undefined> {
  return new Promise((resolve) => {
    const { hostname, port } = new URL(`http://${host}`);
    const socket = connect(Number(port || 4222), hostname.replace(/^\[|\]$/g, ''));
    const finish = (info?: { tls_verify?: boolean }): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(info);
    };
    const timer = setTimeout(finish, INFO_MS);
    let text = '';
    socket.on('error', () => finish());
    socket.on('close', () => finish());
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const line = /^INFO (\{.*\})/.exec(text)?.[1];
      if (line !== undefined && text.includes('\n')) finish(JSON.parse(line) as { tls_verify?: boolean });
    });
  });
}
