import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from '../../runtime/log.ts';
import type { SecretWatch } from '../../runtime/secretStore.ts';
import type { TokenRecord } from '../../schemas/keys.ts';
import { LAKE_ERRORS, LakeError } from '../errors.ts';
import type { LakeMetrics } from '../metrics.ts';
import type { Queries } from '../query/query.ts';
import type { Slots } from '../query/slots.ts';
import { authorize } from './authorize.ts';
import { readQueryBody } from './queryBody.ts';

export interface QueryServerOptions {
  host: string;
  port: number;
  queries: Queries;
  slots: Slots;
  metrics: LakeMetrics;
  log: Logger;
  /** Undefined until the tokens are known. */
  tokens: () => SecretWatch<TokenRecord> | undefined;
  /** Why this server should get no requests, or undefined. */
  notReady: () => string | undefined;
}

export interface QueryServer {
  port: number;
  /** Refuses new queries, lets those that run end within the deadline, stops the rest, and closes. */
  close(deadlineMs: number): Promise<void>;
}

interface Page {
  status: number;
  type: string;
  body: string;
  headers?: Record<string, string>;
}

const JSON_TYPE = 'application/json; charset=utf-8';

/**
 * `POST /api/query`, `GET /healthz`, `/readyz` and `/metrics`. A caller that goes away stops its query.
 * @throws Error when the port is taken.
 */
export async function startQueryServer(options: QueryServerOptions): Promise<QueryServer> {
  const running = new Set<AbortController>();
  let stopping = false;

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = (request.url ?? '/').split('?')[0]!;
    if (path !== '/api/query')
      return send(request, response, await opsPage(path, request.method ?? 'GET', options), stopping);
    const gone = new AbortController();
    running.add(gone);
    response.once('close', () => gone.abort());
    try {
      send(request, response, await queryPage(request, { ...options, stopping }, gone.signal), stopping);
    } finally {
      running.delete(gone);
    }
  };

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      options.log.error({ err: error }, 'a request could not be answered');
      response.destroy();
    });
  });
  server.requestTimeout = 30_000;
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

async function closeServer(server: Server, running: Set<AbortController>, deadlineMs: number): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  const late = setTimeout(() => {
    for (const query of running) query.abort();
    server.closeAllConnections();
  }, deadlineMs);
  await closed;
  clearTimeout(late);
}

/** Authorises, waits for a slot, runs the query; every outcome is a page. */
async function queryPage(
  request: IncomingMessage,
  server: QueryServerOptions & { stopping: boolean },
  signal: AbortSignal,
): Promise<Page> {
  const { queries, slots, metrics, log } = server;
  const startedAt = performance.now();
  let who: { tenantId?: string; tokenId?: string } = {};
  try {
    if (request.method !== 'POST') throw new LakeError('method_not_allowed', 'This address takes POST only.');
    if (server.stopping) throw new LakeError('stopping', LAKE_ERRORS.stopping.help, { retryAfterSeconds: 1 });
    const tokens = server.tokens();
    if (!tokens)
      throw new LakeError('tokens_unavailable', LAKE_ERRORS.tokens_unavailable.help, { retryAfterSeconds: 1 });
    const { tokenId, tenantId, segmentIds } = authorize(tokens, request.headers.authorization, Date.now());
    who = { tenantId, tokenId };
    const body = await readQueryBody(request);
    const release = await slots.acquire(tenantId, signal);
    try {
      const answer = await queries.run({ ...body, tenantId, segmentIds, signal });
      log.info(
        { ...who, rows: answer.rowCount, files: answer.snapshot.files, elapsedMs: answer.elapsedMs },
        'query answered',
      );
      metrics.answered('ok', (performance.now() - startedAt) / 1000);
      return { status: 200, type: JSON_TYPE, body: JSON.stringify(answer) };
    } finally {
      release();
    }
  } catch (error) {
    const failure =
      error instanceof LakeError ? error : new LakeError('internal', LAKE_ERRORS.internal.help, { cause: error });
    metrics.answered(failure.code, (performance.now() - startedAt) / 1000);
    log[LAKE_ERRORS[failure.code].level]({ ...who, code: failure.code, err: failure }, 'query refused');
    return errorPage(failure);
  }
}

/** What the caller is told: our own text for faults on our side, whose details stay in the log. */
function errorPage(error: LakeError): Page {
  const { status, retryable, help } = LAKE_ERRORS[error.code];
  const body = JSON.stringify({ code: error.code, message: status >= 500 ? help : error.message });
  const headers: Record<string, string> = {};
  if (retryable) headers['retry-after'] = String(error.retryAfterSeconds ?? 1);
  if (status === 401) headers['www-authenticate'] = 'Bearer';
  if (status === 405) headers.allow = 'POST';
  return { status, type: JSON_TYPE, body, headers };
}

async function opsPage(path: string, method: string, { metrics, notReady }: QueryServerOptions): Promise<Page> {
  if (!['/healthz', '/readyz', '/metrics'].includes(path)) {
    return errorPage(new LakeError('not_found', 'Try POST /api/query, or GET /healthz, /readyz, /metrics.'));
  }
  if (method !== 'GET' && method !== 'HEAD') {
    const page = errorPage(new LakeError('method_not_allowed', 'This address takes GET and HEAD only.'));
    return { ...page, headers: { allow: 'GET, HEAD' } };
  }
  if (path === '/metrics')
    return { status: 200, type: metrics.registry.contentType, body: await metrics.registry.metrics() };
  if (path === '/healthz') return { status: 200, type: JSON_TYPE, body: '{"status":"ok"}' };
  const reason = notReady();
  const body = JSON.stringify(reason === undefined ? { status: 'ready' } : { status: 'not ready', reason });
  return { status: reason === undefined ? 200 : 503, type: JSON_TYPE, body };
}

function send(request: IncomingMessage, response: ServerResponse, page: Page, last: boolean): void {
  const { status, type, body, headers } = page;
  if (response.destroyed) return;
  // A body left unread would be taken for the next request on the connection.
  const close = last || !request.complete;
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...headers,
    ...(close ? { connection: 'close' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}
