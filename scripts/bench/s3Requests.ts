import { createServer, request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

/** Kinds of requests by which object stores bill. */
export const REQUEST_KINDS = ['PUT', 'POST', 'LIST', 'GET', 'HEAD', 'DELETE'] as const;
export type RequestKind = (typeof REQUEST_KINDS)[number];
export type RequestCounts = Record<RequestKind, number>;

/** A proxy before an S3 server, which counts the requests. */
export interface CountingProxy {
  url: string;
  /** Requests since the start. */
  counts: () => RequestCounts;
  stop: () => Promise<void>;
}

/** Dollars a million requests: Amazon S3 Standard, us-east-1, 2026-11. */
export const PRICES: RequestCounts = { PUT: 5, POST: 5, LIST: 5, GET: 0.4, HEAD: 0.4, DELETE: 0 };
const MONTH_SECONDS = 30 * 86_400;

/** Dollars a month for requests at a rate per second. */
export function dollarsAMonth(perSecond: RequestCounts): number {
  const millions = (kind: RequestKind): number => (perSecond[kind] * MONTH_SECONDS) / 1e6;
  return REQUEST_KINDS.reduce((sum, kind) => sum + millions(kind) * PRICES[kind], 0);
}

/** Kind of a request; undefined for other methods. Pure. */
export function kindOf(method: string, url: string): RequestKind | undefined {
  if (method === 'GET' && /[?&](list-type|prefix|uploads|versions)\b/.test(url)) return 'LIST';
  return REQUEST_KINDS.find((kind) => kind === method);
}

/**
 * Starts a counting proxy before an S3 server.
 *
 * Requests go on as they are, with the host that the client signed.
 */
export async function startCountingProxy(target: string): Promise<CountingProxy> {
  const counts: RequestCounts = { PUT: 0, POST: 0, LIST: 0, GET: 0, HEAD: 0, DELETE: 0 };
  const { hostname, port } = new URL(target);
  const server = createServer((incoming, answer) => {
    const { method = 'GET', url = '/', headers } = incoming;
    const kind = kindOf(method, url);
    if (kind) counts[kind]++;
    const outgoing = request({ hostname, port, method, path: url, headers }, (reply: IncomingMessage) => {
      answer.writeHead(reply.statusCode ?? 502, reply.rawHeaders);
      reply.pipe(answer);
    });
    outgoing.on('error', () => answer.destroy());
    answer.on('close', () => outgoing.destroy());
    incoming.pipe(outgoing);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    counts: () => ({ ...counts }),
    stop: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}
