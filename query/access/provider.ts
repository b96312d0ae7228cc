import type { Configuration } from 'openid-client';
import { isLocalAddress } from './publicAddress.ts';

/** Settings of the OpenID provider. */
export interface ProviderConfig {
  oidcIssuer: string;
  oidcClientId: string;
  oidcClientSecret: string;
  oidcScopes: string;
  oidcRolesClaim: string;
  /** Address of the console as people see it. */
  publicUrl: string;
}

/** Values of one sign-in, which stay in the browser until it returns. */
export interface PendingSignIn {
  state: string;
  nonce: string;
  verifier: string;
}

/** A person as the provider names it. */
export interface ProvidedPerson {
  /** Id at the provider. */
  subject: string;
  /** For people: e-mail address, name or id. */
  name: string;
  /** Value of the claim of roles. */
  roles: unknown;
}

/** The OpenID provider of this installation. */
export interface Provider {
  begin(): Promise<{ url: string; pending: PendingSignIn }>;
  /** @throws Error if the answer is not for this sign-in, or is not valid */
  finish(answer: URL, pending: PendingSignIn): Promise<ProvidedPerson>;
  /** Address where the person ends the session at the provider; undefined if it has none. */
  signOutUrl(): Promise<string | undefined>;
}

/** Path to which the provider sends people back. */
export const CALLBACK_PATH = '/auth/callback';

const TIMEOUT_SECONDS = 10;
/** Age after which the provider's addresses are read again. Its keys are read at each sign-in. */
const FRESH_MS = 3_600_000;

/**
 * Creates the client of a provider (OpenID Connect Core 1.0, code flow with PKCE).
 *
 * The provider's addresses are read at the first sign-in. Signatures of ID tokens are checked.
 */
export function createProvider(config: ProviderConfig): Provider {
  const { oidcIssuer, oidcClientId, oidcClientSecret, publicUrl } = config;
  const redirectUri = new URL(CALLBACK_PATH, publicUrl).href;
  const issuer = new URL(oidcIssuer);
  const secret = oidcClientSecret === '' ? undefined : oidcClientSecret;
  let found: { at: number; opened: Promise<Opened> } | undefined;

  const discover = (): Promise<Opened> => {
    if (found && performance.now() - found.at < FRESH_MS) return found.opened;
    const opened = open();
    found = { at: performance.now(), opened };
    opened.catch(() => (found = undefined));
    return opened;
  };

  const open = async (): Promise<Opened> => {
    const client = await import('openid-client'); // not without a provider
    const auth = secret === undefined ? client.None() : undefined;
    // A provider on this machine may speak plain HTTP.
    const insecure = isLocalAddress(issuer) ? [client.allowInsecureRequests] : [];
    const execute = [client.enableNonRepudiationChecks, ...insecure];
    const options = { execute, timeout: TIMEOUT_SECONDS };
    const known = await client.discovery(issuer, oidcClientId, secret, auth, options);
    // Without remembered keys: the library asks for new ones once a minute at most.
    const withNewKeys = (): Configuration => {
      const configuration = new client.Configuration(known.serverMetadata(), oidcClientId, secret, auth);
      for (const extend of execute) extend(configuration);
      configuration.timeout = TIMEOUT_SECONDS;
      return configuration;
    };
    return { client, known, withNewKeys };
  };

  return {
    begin: async () => {
      const { client, known } = await discover();
      const pending = {
        state: client.randomState(),
        nonce: client.randomNonce(),
        verifier: client.randomPKCECodeVerifier(),
      };
      const url = client.buildAuthorizationUrl(known, {
        redirect_uri: redirectUri,
        scope: config.oidcScopes,
        state: pending.state,
        nonce: pending.nonce,
        code_challenge: await client.calculatePKCECodeChallenge(pending.verifier),
        code_challenge_method: 'S256',
      });
      return { url: url.href, pending };
    },
    finish: async (answer, { state, nonce, verifier }) => {
      const { client, withNewKeys } = await discover();
      const configuration = withNewKeys();
      const tokens = await client.authorizationCodeGrant(configuration, answer, {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
      });
      let claims: Record<string, unknown> = { ...tokens.claims()! };
      const subject = String(claims.sub);
      if (claims[config.oidcRolesClaim] === undefined && configuration.serverMetadata().userinfo_endpoint)
        claims = { ...claims, ...(await client.fetchUserInfo(configuration, tokens.access_token, subject)) };
      const name = [claims.email, claims.name, claims.preferred_username].find((text) => typeof text === 'string');
      return { subject, name: String(name ?? subject).slice(0, 200), roles: claims[config.oidcRolesClaim] };
    },
    signOutUrl: async () => {
      const { client, known } = await discover();
      if (!known.serverMetadata().end_session_endpoint) return undefined;
      const parameters = { post_logout_redirect_uri: new URL('/console/', publicUrl).href };
      return client.buildEndSessionUrl(known, parameters).href;
    },
  };
}

/** The library with what it knows of the provider. */
interface Opened {
  client: typeof import('openid-client');
  known: Configuration;
  withNewKeys: () => Configuration;
}
