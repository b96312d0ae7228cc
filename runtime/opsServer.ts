import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { MetricsRegistry } from './metrics.ts';

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
}): Promise<OpsServer> {
  const server = createServer((request, response) => {
    void answer(request.url ?? '/', options).then(({ status, type, body }) => {
      response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
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

async function answer(
  url: string,
  { metrics, notReady }: { metrics: MetricsRegistry; notReady: () => string | undefined },
): Promise<{ status: number; type: string; body: string }> {
  const path = url.split('?')[0];
  if (path === '/metrics') return { status: 200, type: metrics.contentType, body: await metrics.metrics() };
  if (path === '/healthz') return { status: 200, type: 'application/json', body: '{"status":"ok"}' };
  if (path === '/readyz') {
    const reason = notReady();
    const body = JSON.stringify(reason === undefined ? { status: 'ready' } : { status: 'not ready', reason });
    return { status: reason === undefined ? 200 : 503, type: 'application/json', body };
  }
  return {
    status: 404,
    type: 'application/json',
    body: '{"code":"not_found","message":"Try /healthz, /readyz or /metrics."}',
  };
}
