import { createHash, timingSafeEqual } from 'node:crypto';
import { secret } from './config.ts';

/** Setting of the services whose port is public. */
export const METRICS_TOKEN = secret(
  'METRICS_TOKEN',
  'token that `GET /metrics` of receiver and query server asks for, as `Authorization: Bearer …`; empty: none',
);

/** Whether a request may read the metrics, by its Authorization header. */
export function mayReadMetrics(token: string, authorization: string | undefined): boolean {
  if (token === '') return true;
  // Hashes have one length, so that a comparison takes one time.
  return timingSafeEqual(sha256(`Bearer ${token}`), sha256(authorization ?? ''));
}

function sha256(value: string): Buffer {
  return createHash('sha256').update(value).digest();
}

/** The warning for open metrics on an address that others reach; undefined if they are closed or local. */
export function openMetricsWarning(token: string, host: string): string | undefined {
  const isLocal = /^(127\.|::1$|localhost$)/.test(host);
  if (token !== '' || isLocal) return undefined;
  return 'everyone who reaches this port can read /metrics: set METRICS_TOKEN, or close the path in the proxy';
}
