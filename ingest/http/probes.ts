import type { HttpResponse } from 'uWebSockets.js';
import type { MetricsRegistry } from '../../runtime/metrics.ts';
import { mayReadMetrics } from '../../runtime/metricsToken.ts';
import { ReceiverError } from '../../schemas/errors.ts';
import { failureAnswer, plainFailure, statusLine } from '../answers.ts';
import type { Routes } from './framing.ts';

/** Readiness of this process, with facts for operators. */
export interface Readiness {
  notReady: string | undefined;
  keys?: number;
  /** How long key changes may have been missed. */
  keysStaleSeconds?: number;
}

export interface ProbeOptions {
  openApi: string;
  registry: MetricsRegistry;
  /** Token that the metrics ask for; empty: none. */
  metricsToken: string;
  readiness: () => Readiness;
}

interface Page {
  status: number;
  type: string;
  body: string;
}

const JSON_TYPE = 'application/json';

/** GET and HEAD of `/healthz`, `/readyz`, `/metrics` and `/openapi.json`. */
export function addProbes(routes: Routes, { openApi, registry, metricsToken, readiness }: ProbeOptions): void {
  const page = (path: string, read: () => Page): void => {
    routes.get(path, (response) => send(response, read(), true));
    routes.head(path, (response) => send(response, read(), false));
    routes.any(path, refuseMethod);
  };
  page('/healthz', () => ({ status: 200, type: JSON_TYPE, body: '{"status":"ok"}' }));
  page('/readyz', () => {
    const { notReady: reason, ...facts } = readiness();
    const ready = reason === undefined;
    const body = JSON.stringify({ status: ready ? 'ready' : 'not ready', reason, ...facts });
    return { status: ready ? 200 : 503, type: JSON_TYPE, body };
  });
  page('/openapi.json', () => ({ status: 200, type: JSON_TYPE, body: openApi }));
  routes.get('/metrics', (response, request) => {
    if (!mayReadMetrics(metricsToken, request.getHeader('authorization'))) {
      const { status, body } = failureAnswer(plainFailure('metrics_token_wrong'));
      return send(response, { status, type: JSON_TYPE, body }, true);
    }
    let open = true;
    response.onAborted(() => (open = false));
    registry.metrics().then(
      (body) => open && send(response, { status: 200, type: registry.contentType, body }, true),
      (error: unknown) => open && send(response, { status: 500, type: 'text/plain', body: String(error) }, true),
    );
  });
  routes.any('/metrics', refuseMethod);
}

function send(response: HttpResponse, { status, type, body }: Page, withBody: boolean): void {
  response.cork(() => {
    response.writeStatus(statusLine(status)).writeHeader('Content-Type', type).writeHeader('Cache-Control', 'no-store');
    if (withBody) response.end(body);
    // endWithoutBody with a length does not count as an answer in this binary, and ends the process.
    else response.writeHeader('Content-Length', String(Buffer.byteLength(body))).endWithoutBody();
  });
}

function refuseMethod(response: HttpResponse): void {
  const { status, body } = failureAnswer(
    new ReceiverError('method_not_allowed', 'This address takes only GET and HEAD.'),
  );
  response.cork(() => {
    response.writeStatus(statusLine(status)).writeHeader('Content-Type', JSON_TYPE).writeHeader('Allow', 'GET, HEAD');
    response.end(body);
  });
}
