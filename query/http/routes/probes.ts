import { LakeError } from '../../../lake/errors.ts';
import type { MetricsRegistry } from '../../../runtime/metrics.ts';
import { mayReadMetrics } from '../../../runtime/metricsToken.ts';
import { LAKE_ERRORS } from '../../../schemas/queryErrors.ts';
import { GET_HEALTH, GET_METRICS, GET_OPENAPI, GET_READINESS } from '../contract/readOperations.ts';
import { JSON_TYPE, jsonReply, type Call, type Route } from '../route.ts';

/**
 * `GET /healthz`, `/readyz`, `/metrics` and `/openapi.json`.
 *
 * `/healthz` says that the process is alive. `/readyz` says that it can work, or 503 with the reason.
 */
export function probeRoutes(options: {
  metrics: MetricsRegistry;
  /** Token that the metrics ask for; empty: none. */
  metricsToken: string;
  /** Reason why this server must get no requests, or undefined. */
  notReady: () => string | undefined;
  /** The OpenAPI document as JSON text. */
  openApi: string;
}): Route[] {
  const { metrics, metricsToken, notReady, openApi } = options;
  return [
    { ...GET_HEALTH, handle: () => jsonReply({ status: 'ok' }) },
    {
      ...GET_READINESS,
      handle: () => {
        const reason = notReady();
        if (reason === undefined) return jsonReply({ status: 'ready' });
        const failure = { code: 'not_ready', message: `Not ready: ${reason}.` };
        return jsonReply({ ...failure, status: 'not ready', reason }, 503);
      },
    },
    {
      ...GET_METRICS,
      handle: async ({ request }: Call) => {
        if (!mayReadMetrics(metricsToken, request.headers.authorization))
          throw new LakeError('metrics_token_wrong', LAKE_ERRORS.metrics_token_wrong.help);
        return { headers: { 'content-type': metrics.contentType }, body: await metrics.metrics() };
      },
    },
    { ...GET_OPENAPI, handle: () => ({ headers: { 'content-type': JSON_TYPE }, body: openApi }) },
  ];
}
