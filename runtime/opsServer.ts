import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { MetricsRegistry } from './metrics.ts';
import { plainPath } from './plainPath.ts';

export interface OpsServer {
  port: number;
  close(): Promise<void>;
}

/**
 * Start `/healthz`, `/readyz` and `/metrics` of a service without HTTP.
 * `/healthz` says that the process runs. `/readyz` answers 503 with the reason while the service cannot work.
 */
export async function startOpsServer(options: {
  host: string;
  port: number;
  metrics: MetricsRegistry;
  notReady: () => string | undefined;
  /** Tenants that wait while the service works for the others. */
  parked?: () => readonly object[];
}): Promise<OpsServer> {
  const server = createServer((request, response) => {
    void answer(request, options).then(({ status, type = 'application/json', body, allow }) => {
      const headers = { 'content-type': type, 'cache-control': 'no-store', ...(allow ? { allow } : {}) };
      response.writeHead(status, headers).end(body);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const ALLOW = 'GET, HEAD';

async function answer(
  { url = '/', method = 'GET' }: IncomingMessage,
  {
    metrics,
    notReady,
    parked = () => [],
  }: { metrics: MetricsRegistry; notReady: () => string | undefined; parked?: () => readonly object[] },
): Promise<{ status: number; type?: string; body: string; allow?: string }> {
  const path = plainPath(url.split('?')[0]!);
  if (!['/metrics', '/healthz', '/readyz'].includes(path))
    return { status: 404, body: '{"code":"not_found","message":"Try /healthz, /readyz or /metrics."}' };
  if (!ALLOW.split(', ').includes(method)) {
    const message = `This address takes only ${ALLOW}.`;
    return { status: 405, body: JSON.stringify({ code: 'method_not_allowed', message }), allow: ALLOW };
  }
  if (path === '/metrics') return { status: 200, type: metrics.contentType, body: await metrics.metrics() };
  if (path === '/healthz') return { status: 200, body: '{"status":"ok"}' };
  const reason = notReady();
  const waiting = parked();
  const detail = waiting.length > 0 ? { parked: waiting } : {};
  if (reason === undefined) return { status: 200, body: JSON.stringify({ status: 'ready', ...detail }) };
  const failure = { code: 'not_ready', message: `Not ready: ${reason}.` };
  return { status: 503, body: JSON.stringify({ ...failure, status: 'not ready', reason, ...detail }) };
}
