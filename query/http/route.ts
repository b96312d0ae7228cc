import type { IncomingMessage } from 'node:http';
import type { Identity, TenantReader } from './authorize.ts';
import type { KeySender } from './keyAuthorization.ts';

/**
 * One address of the query server.
 *
 * Each route is a file in routes/, which exports a function from its dependencies to a Route, or to several related
 * ones. To add a route, write such a file and list it in query/service.ts:
 *
 *     export function lagRoute(connection: () => NatsConnection | undefined): Route {
 *       return {
 *         ...GET_LAG,
 *         async handle({ reader, signal }) {
 *           return jsonReply(await readLag(connection(), reader.tenantId));
 *         },
 *       };
 *     }
 *
 * `GET_LAG` is its operation (contract/): method, path, access, parameters, and the text of the OpenAPI document.
 *
 * The server handles tokens, 404, 405 with Allow, HEAD (as GET, without the body), OPTIONS, metrics and log lines. A
 * handler throws LakeError, and never builds an error answer itself: lake/errors.ts has each status and level. A route
 * that runs SQL holds a slot (query/engine/slots.ts) for the whole run.
 */
export type Route = OpenRoute | TokenRoute | ReaderRoute | KeyRoute;

interface RouteAddress {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /**
   * Path pattern, such as `/api/receipts/:id`.
   *
   * A segment `:name` matches any one segment, decoded into `params.name`. A last segment `:name*` matches the rest of
   * the path, slashes included, even an empty rest. Literal segments win over parameters.
   */
  path: string;
}

/** A route for anyone: health, metrics, pages without data. */
export interface OpenRoute extends RouteAddress {
  access: 'open';
  handle(call: Call): Promise<Reply> | Reply;
}

interface WithParameters {
  /** Names of query parameters; others, and repeated ones, are rejected. `own`: the route checks them. */
  parameters: readonly string[] | 'own';
}

/**
 * A route that needs a token; rejected while the server stops.
 *
 * `token` means any token, also an operator's without a tenant. `operator` means an operator's token.
 */
export interface TokenRoute extends RouteAddress, WithParameters {
  access: 'token' | 'operator';
  handle(call: TokenCall): Promise<Reply> | Reply;
}

/**
 * A route that needs a tenant by token or by an operator.
 *
 * Without one the answer is 401. Requests are rejected while the server stops.
 */
export interface ReaderRoute extends RouteAddress, WithParameters {
  access: 'reader';
  /** Whether an operator may name a tenant that the route creates. */
  createsTenant?: true;
  handle(call: ReaderCall): Promise<Reply> | Reply;
}

/** A route for a server key, whose tenant and segment the request is about. Rejected while the server stops. */
export interface KeyRoute extends RouteAddress, WithParameters {
  access: 'key';
  handle(call: KeyCall): Promise<Reply> | Reply;
}

/** A request with its matched route. */
export interface Call {
  /** Source of headers and body; jsonBody.ts reads the body. */
  request: IncomingMessage;
  /** Asks a caller that waits for it (`Expect: 100-continue`) to send the body. */
  askForBody: () => void;
  /** Decoded parameters of the path. */
  params: Readonly<Record<string, string>>;
  query: URLSearchParams;
  /** Aborts when the caller leaves, or when the server cannot wait longer. */
  signal: AbortSignal;
}

export interface TokenCall extends Call {
  identity: Identity;
  /**
   * Checks the token again, for long answers.
   * @throws LakeError token_revoked, token_expired, token_unknown if the token no longer works
   */
  recheck: () => void;
}

export interface KeyCall extends Call {
  sender: KeySender;
}

export interface ReaderCall extends TokenCall {
  /** Tenant and segments that the request may read. */
  reader: TenantReader;
}

/** An answer. */
export interface Reply {
  /** Absent: 200. */
  status?: number;
  /** Names in small letters. A body needs `content-type`; an absent `cache-control` means `no-store`. */
  headers: Record<string, string>;
  /**
   * Text, bytes, or pieces produced as fast as the caller reads.
   *
   * An error before the first piece becomes an error answer. A later one breaks the connection, so that no caller takes
   * half an answer for a whole one. Release resources in the generator's `finally`, which also runs when the caller
   * leaves.
   */
  body?: string | Uint8Array | AsyncIterable<string | Uint8Array>;
}

/** Content type of JSON. */
export const JSON_TYPE = 'application/json; charset=utf-8';

/** A JSON reply. */
export function jsonReply(value: unknown, status = 200): Reply {
  return { status, headers: { 'content-type': JSON_TYPE }, body: JSON.stringify(value) };
}
