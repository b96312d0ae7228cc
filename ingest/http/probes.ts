import type { MetricsRegistry } from '../../runtime/metrics.ts';
import { mayReadMetrics } from '../../runtime/metricsToken.ts';
import { plainFailure } from '../answers.ts';
import { httpFailure, type HttpAnswer } from './httpAnswer.ts';
import type { RequestHead } from './requestHead.ts';

/** Readiness of this process, with facts for operators. */
export interface Readiness {
  notReady: string | undefined;
  keys?: number;
  /** How long key changes may have been missed. */
  keysStaleSeconds?: number;
  /** Shards that take no events now; others do. */
  shardsRefused?: readonly { shard: number; reason: string }[];
}

export interface ProbeOptions {
  openApi: string;
  registry: MetricsRegistry;
  /** Token that the metrics ask for; empty: none. */
  metricsToken: string;
  readiness: () => Readiness;
}

/** Answers GET and HEAD of one address. */
export type OperatorPage = (head: RequestHead) => HttpAnswer | Promise<HttpAnswer>;

/** The pages `/healthz`, `/readyz`, `/metrics` and `/openapi.json`, by path. */
export function operatorPages({
  openApi,
  registry,
  metricsToken,
  readiness,
}: ProbeOptions): ReadonlyMap<string, OperatorPage> {
  const ready = (): HttpAnswer => {
    const { notReady: reason, ...facts } = readiness();
    if (reason === undefined) return page(JSON.stringify({ status: 'ready', ...facts }));
    const failure = { code: 'not_ready', message: `Not ready: ${reason}.` };
    return page(JSON.stringify({ ...failure, status: 'not ready', reason, ...facts }), 503);
  };
  const metrics = async ({ authorization }: RequestHead): Promise<HttpAnswer> => {
    if (!mayReadMetrics(metricsToken, authorization)) return httpFailure(plainFailure('metrics_token_wrong'));
    return { ...page(await registry.metrics()), type: registry.contentType, private: true };
  };
  return new Map<string, OperatorPage>([
    ['/healthz', () => page('{"status":"ok"}')],
    ['/readyz', ready],
    ['/metrics', metrics],
    ['/openapi.json', () => page(openApi)],
  ]);
}

function page(body: string, status = 200): HttpAnswer {
  return { status, body, headers: { 'Cache-Control': 'no-store' } };
}
