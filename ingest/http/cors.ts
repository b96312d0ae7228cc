import type { HttpResponse } from 'uWebSockets.js';

/** A day; browsers have lower limits. */
const PREFLIGHT_MAX_AGE_SECONDS = '86400';

/**
 * Allow the sending page to read the answer (Fetch standard, "CORS protocol").
 * Every origin may read every answer, because a rejected page must see the reason. The POST checks which origins may send.
 * Beacons carry credentials, for which "*" is not enough. That is safe, because no cookie is read.
 */
export function allowOrigin(response: HttpResponse, origin: string): void {
  response
    .writeHeader('Access-Control-Allow-Origin', origin)
    .writeHeader('Access-Control-Allow-Credentials', 'true')
    .writeHeader('Access-Control-Expose-Headers', 'Retry-After')
    .writeHeader('Vary', 'Origin');
}

/** Answer a preflight; it has no key, and so no list of origins. */
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
