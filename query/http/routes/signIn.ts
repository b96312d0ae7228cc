import type { Logger } from '../../../runtime/log.ts';
import { HOUR_MS } from '../../../runtime/units.ts';
import { recorded, type ChangeLog } from '../../../schemas/change.ts';
import type { SessionRecord } from '../../../schemas/keys.ts';
import { LAKE_ERRORS, type LakeErrorCode } from '../../../schemas/queryErrors.ts';
import { LakeError } from '../../../lake/errors.ts';
import { personRights } from '../../access/person.ts';
import { CALLBACK_PATH, type PendingSignIn, type Provider } from '../../access/provider.ts';
import type { Sessions } from '../../access/sessions.ts';
import { BEGIN_SIGN_IN, END_SIGN_IN, LIST_SIGN_INS, SIGN_OUT } from '../contract/signInOperations.ts';
import { jsonReply, type Call, type Reply, type Route } from '../route.ts';
import { cookieOf, requireOwnPage, type SessionCookie } from '../sessionCookie.ts';

/** What people need to sign in; absent: there are only tokens. */
export interface SignIn {
  provider: Provider;
  cookie: SessionCookie;
  /** Undefined until the tokens are loaded. */
  sessions: () => Sessions | undefined;
  changes: () => ChangeLog | undefined;
  sessionHours: number;
  log: Logger;
}

/** Cookie of the values that stay in the browser while the person is at the provider. */
const PENDING = 'spor_sign_in';
const PENDING_SECONDS = 600;
const CONSOLE = '/console/';

/**
 * Sign-in of people with an OpenID provider, and sign-out.
 *
 * `GET /auth/login` sends the browser to the provider, and `GET /auth/callback` gets it back with a code. The code is
 * good only together with the cookie of the same browser (state, nonce and PKCE). A session is a record beside the read
 * tokens; its secret is in a cookie that no page can read.
 */
export function signInRoutes(signIn: SignIn | undefined): Route[] {
  const known = (): SignIn => {
    if (!signIn) throw fault('sign_in_unknown');
    return signIn;
  };
  return [
    { ...LIST_SIGN_INS, handle: () => jsonReply({ provider: signIn !== undefined }) },
    { ...BEGIN_SIGN_IN, handle: (call: Call) => begin(known(), call) },
    { ...END_SIGN_IN, handle: (call: Call) => finish(known(), call) },
    { ...SIGN_OUT, handle: (call: Call) => signOut(known(), call) },
  ];
}

async function begin({ provider, cookie, log }: SignIn, { query }: Call): Promise<Reply> {
  try {
    const { url, pending } = await provider.begin();
    const text = Buffer.from(JSON.stringify({ ...pending, to: consolePath(query.get('to')) })).toString('base64url');
    const secure = cookie.origin.startsWith('https:') ? '; Secure' : '';
    const kept = `${PENDING}=${text}; Path=/auth/; HttpOnly; SameSite=Lax; Max-Age=${PENDING_SECONDS}${secure}`;
    return { status: 302, headers: { location: url, 'set-cookie': kept } };
  } catch (error) {
    log.warn({ err: error }, 'the OpenID provider does not answer');
    throw fault('sign_in_unavailable', error);
  }
}

async function finish({ provider, cookie, sessions, changes, sessionHours, log }: SignIn, call: Call): Promise<Reply> {
  const pending = pendingOf(cookieOf(call.request, PENDING));
  if (!pending) throw fault('sign_in_failed');
  const open = sessions();
  if (!open) throw new LakeError('tokens_unavailable', LAKE_ERRORS.tokens_unavailable.help, { retryAfterSeconds: 1 });
  const answer = new URL(`${CALLBACK_PATH}?${call.query.toString()}`, cookie.origin);
  const person = await provider.finish(answer, pending).catch((error: unknown) => {
    log.warn({ err: error }, 'an answer of the OpenID provider was refused');
    throw fault('sign_in_failed', error);
  });
  const { operator, grants, ignored } = personRights(person.roles);
  if (ignored.length > 0) log.warn({ person: person.name, ignored }, 'a person has roles that are none of Spor');
  if (!operator && grants.length === 0) throw fault('role_missing');
  const now = Date.now();
  const record: SessionRecord = {
    role: 'person',
    operator,
    grants,
    subject: person.subject,
    label: person.name,
    createdAt: new Date(now).toISOString(),
    expiresAt: new Date(now + sessionHours * HOUR_MS).toISOString(),
  };
  const change = { action: 'person.sign-in', by: person.name, after: { operator, grants } };
  const { secret } = await recorded(changes(), change, async (note) => {
    const made = await open.create(record);
    note({ about: `session ${made.id}` });
    return made;
  });
  return { status: 302, headers: { location: pending.to, 'set-cookie': cookie.set(secret, sessionHours * 3_600) } };
}

async function signOut({ provider, cookie, sessions }: SignIn, { request }: Call): Promise<Reply> {
  requireOwnPage(request, cookie);
  const secret = cookieOf(request, cookie.name);
  if (secret !== undefined) await sessions()?.end(secret, Date.now());
  const url = await provider.signOutUrl().catch(() => undefined); // the session here has ended all the same
  const reply = jsonReply(url === undefined ? {} : { providerUrl: url });
  return { ...reply, headers: { ...reply.headers, 'set-cookie': cookie.set('', 0) } };
}

/** An address within the console, so that no link can lead people elsewhere. */
function consolePath(to: string | null): string {
  return to !== null && /^\/console\/[^\\\p{C}]*$/u.test(to) && to.length < 2_000 ? to : CONSOLE;
}

function pendingOf(text: string | undefined): (PendingSignIn & { to: string }) | undefined {
  try {
    const value = JSON.parse(Buffer.from(text ?? '', 'base64url').toString()) as Partial<
      PendingSignIn & { to: string }
    >;
    const { state, nonce, verifier, to } = value;
    const texts = [state, nonce, verifier, to];
    if (!texts.every((part) => typeof part === 'string' && part !== '')) return undefined;
    return { state: state!, nonce: nonce!, verifier: verifier!, to: consolePath(to!) };
  } catch {
    return undefined;
  }
}

function fault(code: LakeErrorCode, cause?: unknown): LakeError {
  return new LakeError(code, LAKE_ERRORS[code].help, cause === undefined ? {} : { cause });
}
