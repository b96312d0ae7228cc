import type { HttpResponse } from 'uWebSockets.js';

/** A day; browsers shorten it to what they allow. */
const PREFLIGHT_MAX_AGE_SECONDS = '86400';

/**
 * Lets the page that sent a request read its answer (Fetch standard, "CORS protocol"). Every origin may read every answer:
 * which origins may *send* with a key is enforced on the POST, and a page that is refused must be able to read why. Beacons
 * are sent with credentials, for which "*" is not enough; we read no cookies, so this gives nothing away.
 */
export function allowOrigin(response: HttpResponse, origin: string): void {
  response
    .writeHeader('Access-Control-Allow-Origin', origin)
    .writeHeader('Access-Control-Allow-Credentials', 'true')
    .writeHeader('Access-Control-Expose-Headers', 'Retry-After')
    .writeHeader('Vary', 'Origin');
}

/** Answers a preflight; it carries no key, so that no list of origins can be consulted. */
export function answerPreflight(response: HttpResponse, origin: string): void {
  response.cork(() => {
    response.writeStatus('204 No Content').writeHeader('Allow', 'POST, OPTIONS');
    if (origin !== '') {
      allowOrigin(response, origin);
      response
        .writeHeader('Access-Control-Allow-Methods', 'POST')
        .writeHeader('Access-Control-Allow-Headers', 'Content-Type, Content-Encoding, X-Instrumentation-Key')
        .writeHeader('Access-Control-Max-Age', PREFLIGHT_MAX_AGE_SECONDS);
    }
    response.endWithoutBody();
  });
}
