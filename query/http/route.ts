import type { IncomingMessage } from 'node:http';
import type { Identity, TenantReader } from './authorize.ts';

/**
 * One address of the query server. Each route is a file of its own under routes/, which exports a function from what it
 * needs to a Route (or several that belong together); service.ts puts them on the list. To add one:
 *
 *     export function receiptRoute(receipts: Receipts): Route {
 *       return {
 *         method: 'GET',
 *         path: '/api/receipts/:id',
 *         access: 'reader',
 *         parameters: [],
 *         async handle({ params, query, reader, signal }) {
 *           return jsonReply(await receipts.find(reader.tenantId, params.id!, signal));
 *         },
 *       };
 *     }
 *
 * The server does the rest: read token, 404, 405 with Allow, HEAD (as GET, without the body), OPTIONS, metrics and log lines per
 * route, and errors: a handler throws LakeError (lake/errors.ts says status and level) and never builds an error answer.
 * Routes that run SQL take a slot (query/engine/slots.ts) for as long as it runs.
 */
export type Route = OpenRoute | TokenRoute | ReaderRoute;

interface RouteAddress {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /**
   * `/api/receipts/:id`: a segment `:name` matches any one segment, decoded into `params.name`; a last segment `:name*` the
   * rest of the path, slashes included, also where nothing is left. Literal segments win over parameters.
   */
  path: string;
}

/** For anyone: health, metrics, pages without data. */
export interface OpenRoute extends RouteAddress {
  access: 'open';
  handle(call: Call): Promise<Reply> | Reply;
}

interface WithParameters {
  /** Names of the query string's parameters; any other one, or one given twice, is refused. `own`: the route checks them. */
  parameters: readonly string[] | 'own';
}

/** Needs a token: `token` any, also an operator's that names no tenant; `operator` an operator's. Refused while the server stops. */
export interface TokenRoute extends RouteAddress, WithParameters {
  access: 'token' | 'operator';
  handle(call: TokenCall): Promise<Reply> | Reply;
}

/** Needs a read token, or an operator's and a tenant; answers 401 without. Refused while the server stops. */
export interface ReaderRoute extends RouteAddress, WithParameters {
  access: 'reader';
  /** Whether an operator may name a tenant that is not known yet: what the route creates makes it known. */
  createsTenant?: true;
  handle(call: ReaderCall): Promise<Reply> | Reply;
}

/** A request that has matched a route. */
export interface Call {
  /** For headers and the body; jsonBody.ts reads it. */
  request: IncomingMessage;
  /** The path's parameters, decoded. */
  params: Readonly<Record<string, string>>;
  query: URLSearchParams;
  /** Fires when the caller goes away and when the server cannot wait any longer: stop then. */
  signal: AbortSignal;
}

export interface TokenCall extends Call {
  identity: Identity;
  /**
   * For answers that go on for long.
   * @throws LakeError token_revoked, token_expired, token_unknown where the token does not work any more.
   */
  recheck: () => void;
}

export interface ReaderCall extends TokenCall {
  /** Whose data may be read. */
  reader: TenantReader;
}

/** An answer. */
export interface Reply {
  /** 200 where absent. */
  status?: number;
  /** Lower-case names. `content-type` is required where there is a body; `cache-control` is `no-store` where absent. */
  headers: Record<string, string>;
  /**
   * Text or bytes, or pieces that are asked for as fast as the caller takes them. What is thrown before the first piece
   * becomes an error answer; later the connection is broken off, so that half an answer is never taken for a whole one.
   * Close resources in the generator's `finally`, which runs when the caller goes away, too.
   */
  body?: string | Uint8Array | AsyncIterable<string | Uint8Array>;
}

const JSON_TYPE = 'application/json; charset=utf-8';

/** A value as JSON. */
export function jsonReply(value: unknown, status = 200): Reply {
  return { status, headers: { 'content-type': JSON_TYPE }, body: JSON.stringify(value) };
}
