import { once } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { boundConnections, connectionLimit, openFilesLimit } from '../../runtime/connections.ts';
import { createFairBound } from '../../runtime/fairBound.ts';
import { plainPath } from '../../runtime/plainPath.ts';
import type { Logger } from '../../runtime/log.ts';
import type { PresentTimes } from '../../stream/comparedClock.ts';
import type { SecretWatch } from '../../stream/secretStore.ts';
import type { KeyRecord, TokenRecord } from '../../schemas/keys.ts';
import { LakeError } from '../../lake/errors.ts';
import { LAKE_ERRORS } from '../../schemas/queryErrors.ts';
import type { QueryMetrics } from './metrics.ts';
import {
  authenticate,
  authenticateSession,
  readerOf,
  readersOf,
  requireOperator,
  TENANT_HEADER,
  unknownTenant,
  type Identity,
  type TenantReader,
} from './authorize.ts';
import { asLakeError, errorReply } from './errorReply.ts';
import { Compressions } from './compression.ts';
import { authorizeKey, type KeySender } from './keyAuthorization.ts';
import { createListener, type Arrival } from './listener.ts';
import { checkParameters } from './parameters.ts';
import type { Call, Reply, Route } from './route.ts';
import { createRouter, type Match, type Matches, type Router } from './router.ts';
import { cookieOf, requireOwnPage, type SessionCookie } from './sessionCookie.ts';
import { send } from './send.ts';

export interface QueryServerOptions {
  host: string;
  port: number;
  routes: readonly Route[];
  metrics: QueryMetrics;
  log: Logger;
  /** Most connections at once. Absent: by the process's limit of open files. */
  mostConnections?: number;
  /** Whether an operator may name this tenant. @throws LakeError storage_unavailable */
  isKnownTenant: (tenantId: string) => Promise<boolean>;
  /** Undefined until the tokens are loaded. */
  tokens: () => SecretWatch<TokenRecord> | undefined;
  /** Keys of senders, for routes that take a server key; undefined until they are loaded. */
  keys?: () => SecretWatch<KeyRecord> | undefined;
  /** Cookie of people; absent: only tokens are taken. */
  cookie?: SessionCookie | undefined;
  /** The present by which tokens expire; absent: this host's clock. */
  times?: () => PresentTimes;
}

export interface QueryServer {
  port: number;
  /** Rejects new requests for data, and waits for running ones until the deadline. */
  close(deadlineMs: number): Promise<void>;
}

/** Requests under way of one token and one tenant: enough for pages and notebooks, few of the connections. */
const REQUESTS = { perToken: 64, perTenant: 96 };
/** Part of the connections that requests with a token may hold. */
const REQUESTS_SHARE = 0.75;

/** One request under way, with its facts for metrics and log. */
interface Visit extends Arrival {
  startedAt: number;
  /** A route of the path, of any method. */
  route?: Route | undefined;
  identity?: Identity;
  reader?: TenantReader;
  sender?: KeySender;
  /** Ends the request's part of its tenant's requests. */
  end?: (() => void) | undefined;
}

/**
 * Starts a server of the routes (route.ts). A caller that leaves aborts its request's signal.
 * @throws Error if the port is taken
 */
export async function startQueryServer(options: QueryServerOptions): Promise<QueryServer> {
  const { metrics, log } = options;
  const router = createRouter(options.routes);
  const running = new Set<AbortController>();
  const compressions = new Compressions();
  const most = options.mostConnections ?? connectionLimit(openFilesLimit());
  const requests = createFairBound({ ...REQUESTS, total: Math.floor(most * REQUESTS_SHARE) });
  let stopping = false;

  /** Counts a request until its answer is sent: a slow body or reader holds a connection. */
  const admit = (visit: Visit, tenantId: string, tokenId: string): void => {
    visit.end = requests.take({ tenantId, tokenId });
    if (!visit.end)
      throw new LakeError('too_many_queries', LAKE_ERRORS.too_many_queries.help, { retryAfterSeconds: 2 });
  };

  const replyTo = async (visit: Visit, signal: AbortSignal): Promise<Reply> => {
    if (visit.fault) throw visit.fault;
    const { searchParams } = addressOf(visit.request);
    const matches = matchesOf(router, visit.request);
    const method = visit.request.method ?? 'GET';
    if (matches.size > 0 && method === 'OPTIONS') return { status: 204, headers: { allow: allowed(matches) } };
    visit.route = [...matches.values()][0]?.route;
    const { route, params } = matchOf(matches, method);
    visit.route = route;
    const call: Call = { request: visit.request, askForBody: visit.askForBody, params, query: searchParams, signal };
    if (route.access === 'open') return route.handle(call);
    if (stopping) throw stoppingError();
    if (route.access === 'key') {
      if (route.parameters !== 'own') checkParameters(searchParams, route.parameters);
      visit.sender = authorizeKey(options.keys?.(), visit.request, options.times?.() ?? [Date.now()]);
      admit(visit, visit.sender.tenantId, visit.sender.keyId);
      return route.handle({ ...call, sender: visit.sender });
    }
    const identify = (): Identity => identityOf(options, visit.request);
    visit.identity = identify();
    const tokenCall = { ...call, identity: visit.identity, recheck: () => void identify() };
    if (route.access === 'operator') requireOperator(visit.identity);
    if (route.parameters !== 'own') checkParameters(searchParams, route.parameters);
    if (route.access !== 'reader') {
      const [own, ...others] = readersOf(visit.identity, route) ?? [];
      admit(visit, own && others.length === 0 ? own.tenantId : '', visit.identity.tokenId);
      return route.handle(tokenCall);
    }
    visit.reader = readerOf(visit.identity, visit.request.headers[TENANT_HEADER]?.toString(), route);
    const { tenantId } = visit.reader;
    if (visit.identity.role === 'operator' && !route.createsTenant && !(await options.isKnownTenant(tenantId)))
      throw unknownTenant(tenantId);
    admit(visit, tenantId, visit.reader.tokenId);
    return route.handle({ ...tokenCall, reader: visit.reader });
  };

  const handle = async (visit: Visit): Promise<void> => {
    const { request, response } = visit;
    const gone = new AbortController();
    running.add(gone);
    response.once('close', () => gone.abort());
    try {
      const reply = await Promise.race([replyTo(visit, gone.signal), untilCut(gone.signal)]);
      await send(request, response, reply, { last: stopping, compressions });
      note(visit);
    } catch (thrown) {
      const error = asLakeError(thrown);
      note(visit, error);
      if (response.headersSent) response.destroy();
      else await send(request, response, refusal(error, visit, router), { last: stopping, compressions });
    } finally {
      running.delete(gone);
      visit.end?.();
    }
  };

  const note = ({ route, identity, reader, sender, startedAt }: Visit, error?: LakeError): void => {
    const elapsedMs = performance.now() - startedAt;
    const code = error?.code ?? 'ok';
    metrics.answered({ route: route?.path ?? 'none', code, seconds: elapsedMs / 1000 });
    const who = { tenantId: (reader ?? sender)?.tenantId, tokenId: identity?.tokenId, keyId: sender?.keyId };
    const about = { route: route?.path, ...who, code, elapsedMs: Math.round(elapsedMs) };
    if (error) log[LAKE_ERRORS[error.code].level]({ ...about, err: error }, 'request rejected');
    else log[route && route.access !== 'open' ? 'info' : 'debug'](about, 'request answered');
  };

  const serve = (arrival: Arrival): void => {
    handle({ ...arrival, startedAt: performance.now() }).catch((error: unknown) => {
      log.error({ err: error }, 'a request could not be answered');
      arrival.response.destroy();
    });
  };
  const server = createListener(serve, (error) => {
    metrics.answered({ route: 'none', code: error.code, seconds: 0 });
    log.debug({ code: error.code, err: error }, 'a connection was refused');
  });
  boundConnections(server, most);
  server.listen(options.port, options.host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async (deadlineMs) => {
      stopping = true;
      await closeServer(server, running, deadlineMs);
    },
  };
}

/** Reason by which a stop ends a request. */
const CUT = new Error('the server stops');

/** Rejects when a stop ends the request, which does not wait for its work. @throws LakeError stopping */
function untilCut(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => signal.reason === CUT && reject(stoppingError()));
  });
}

function stoppingError(): LakeError {
  return new LakeError('stopping', LAKE_ERRORS.stopping.help, { retryAfterSeconds: 1 });
}

/** Ends requests that take longer than half of the deadline, so that each has an answer, and then connections. */
async function closeServer(server: Server, running: Set<AbortController>, deadlineMs: number): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  const cut = setTimeout(() => {
    for (const request of running) request.abort(CUT);
  }, deadlineMs / 2);
  const late = setTimeout(() => server.closeAllConnections(), deadlineMs);
  await closed;
  clearTimeout(cut);
  clearTimeout(late);
}

/** Path and query, also of an absolute address (RFC 9112 §3.2.2). URL would take a path such as `//x` for a host. */
function addressOf({ url = '/' }: IncomingMessage): { pathname: string; searchParams: URLSearchParams } {
  const [path = '/', ...rest] = url.replace(/^https?:\/\/[^/?]*/i, '').split('?');
  return { pathname: path === '' ? '/' : path, searchParams: new URLSearchParams(`?${rest.join('?')}`) };
}

/** Routes of an address, or else of the same without needless slashes. */
function matchesOf(router: Router, request: IncomingMessage): Matches {
  const { pathname } = addressOf(request);
  const matches = router.match(pathname);
  return matches.size > 0 ? matches : router.match(plainPath(pathname));
}

/**
 * The route of a method.
 * @throws LakeError not_found, method_not_allowed
 */
function matchOf(matches: Matches, method: string): Match {
  if (matches.size === 0) throw new LakeError('not_found', 'No route has this address. Try POST /api/query.');
  const match = matches.get(method === 'HEAD' ? 'GET' : method);
  if (!match) throw new LakeError('method_not_allowed', `This address takes only ${allowed(matches)}.`);
  return match;
}

/** Value of the Allow header, such as `GET, HEAD, POST`. */
function allowed(matches: Matches): string {
  return [...matches.keys()].flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ');
}

/**
 * Identity of a request's token, or of the cookie if it has none.
 * @throws LakeError tokens_unavailable, token_conflict, session_cross_site, and those of authenticate
 */
function identityOf(options: QueryServerOptions, request: IncomingMessage): Identity {
  const tokens = options.tokens();
  const times = options.times?.() ?? [Date.now()];
  if (!tokens) throw new LakeError('tokens_unavailable', LAKE_ERRORS.tokens_unavailable.help, { retryAfterSeconds: 1 });
  const given = new Set(request.headersDistinct.authorization);
  if (given.size > 1) throw new LakeError('token_conflict', LAKE_ERRORS.token_conflict.help);
  const { cookie } = options;
  const session = cookie && request.headers.authorization === undefined ? cookieOf(request, cookie.name) : undefined;
  if (!cookie || session === undefined) return authenticate(tokens, request.headers.authorization, times);
  requireOwnPage(request, cookie);
  return authenticateSession(tokens, session, times);
}

function refusal(error: LakeError, { request }: Visit, router: Router): Reply {
  const reply = errorReply(error);
  if (error.code === 'method_not_allowed') reply.headers.allow = allowed(matchesOf(router, request));
  return reply;
}
