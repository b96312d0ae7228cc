import { LakeError } from '../../../lake/errors.ts';
import type { MetricsRegistry } from '../../../runtime/metrics.ts';
import { mayReadMetrics } from '../../../runtime/metricsToken.ts';
import { LAKE_ERRORS } from '../../../schemas/queryErrors.ts';
import { jsonReply, type Route } from '../route.ts';

/**
 * `GET /healthz`, `/readyz` and `/metrics`.
 *
 * `/healthz` says that the process is alive. `/readyz` says that it can work, or 503 with the reason.
 */
export function probeRoutes(options: {
  metrics: MetricsRegistry;
  /** Token that the metrics ask for; empty: none. */
  metricsToken: string;
  /** Reason why this server must get no requests, or undefined. */
  notReady: () => string | undefined;
}): Route[] {
  const { metrics, metricsToken, notReady } = options;
  return [
    { method: 'GET', path: '/healthz', access: 'open', handle: () => jsonReply({ status: 'ok' }) },
    {
      method: 'GET',
      path: '/readyz',
      access: 'open',
      handle: () => {
        const reason = notReady();
        if (reason === undefined) return jsonReply({ status: 'ready' });
        const failure = { code: 'not_ready', message: `Not ready: ${reason}.` };
        return jsonReply({ ...failure, status: 'not ready', reason }, 503);
      },
    },
    {
      method: 'GET',
      path: '/metrics',
      access: 'open',
      handle: async ({ request }) => {
        if (!mayReadMetrics(metricsToken, request.headers.authorization))
          throw new LakeError('metrics_token_wrong', LAKE_ERRORS.metrics_token_wrong.help);
        return { headers: { 'content-type': metrics.contentType }, body: await metrics.metrics() };
      },
    },
  ];
}
