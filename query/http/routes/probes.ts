import type { MetricsRegistry } from '../../../runtime/metrics.ts';
import { jsonReply, type Route } from '../route.ts';

/** `GET /healthz` (the process lives), `/readyz` (it can do its work; 503 with the reason otherwise) and `/metrics`. */
export function probeRoutes(options: {
  metrics: MetricsRegistry;
  /** Why this server should get no requests, or undefined. */
  notReady: () => string | undefined;
}): Route[] {
  const { metrics, notReady } = options;
  return [
    { method: 'GET', path: '/healthz', access: 'open', handle: () => jsonReply({ status: 'ok' }) },
    {
      method: 'GET',
      path: '/readyz',
      access: 'open',
      handle: () => {
        const reason = notReady();
        return reason === undefined ? jsonReply({ status: 'ready' }) : jsonReply({ status: 'not ready', reason }, 503);
      },
    },
    {
      method: 'GET',
      path: '/metrics',
      access: 'open',
      handle: async () => ({ headers: { 'content-type': metrics.contentType }, body: await metrics.metrics() }),
    },
  ];
}
