import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import Provider, { type JWK } from 'oidc-provider';

/** A real OpenID provider on this machine, with people by login. */
export interface TestOidcProvider {
  issuer: string;
  /** Ends it, and begins again at the same address with other keys. */
  rotate(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts it; any password is right. */
export async function startOidcProvider(
  port: number,
  { redirectUri, roles }: { redirectUri: string; roles: Readonly<Record<string, unknown>> },
): Promise<TestOidcProvider> {
  const issuer = `http://127.0.0.1:${port}`;
  let server: Server;
  const start = async (): Promise<void> => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const key = { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' } as JWK;
    const provider = new Provider(issuer, {
      clients: [
        {
          client_id: 'spor',
          client_secret: 'the-secret-of-spor-at-the-provider',
          redirect_uris: [redirectUri],
          post_logout_redirect_uris: [new URL('/console/', redirectUri).href],
        },
      ],
      claims: { openid: ['sub'], email: ['email'], profile: ['name'], spor: ['spor_roles'] },
      cookies: { keys: ['a key of the test'] },
      jwks: { keys: [key] },
      findAccount: (_, id) => ({
        accountId: id,
        claims: () => ({ sub: id, email: `${id}@shop.example`, spor_roles: roles[id] }),
      }),
    });
    server = createServer((request, response) => void provider.callback()(request, response));
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  };
  const stop = async (): Promise<void> => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  await start();
  return {
    issuer,
    stop,
    rotate: async () => {
      await stop();
      await start();
    },
  };
}
