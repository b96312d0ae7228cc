import { CodedError } from './codedError.ts';
import { clientError, temporaryError, type ErrorKind } from './errorKind.ts';

/** Failures of a whole request. */
export const REQUEST_ERRORS = {
  parameter_invalid: clientError(
    400,
    'The parameter "dryRun" is spelled in another way, given twice, or has a value that means nothing. Nothing was stored.',
  ),
  body_not_json: clientError(400, 'The body is not JSON text in UTF-8. Send one JSON object.'),
  body_invalid: clientError(400, 'The body has the wrong shape. Send {"instrumentationKey", "sentAt", "events": […]}.'),
  body_encoding_invalid: clientError(400, 'The body could not be decompressed as its Content-Encoding says.'),
  batch_empty: clientError(400, 'The batch has no events. Send at least one.'),
  no_valid_event: clientError(
    400,
    'Every event of the batch was rejected; "rejected" says why. The quarantine keeps them.',
  ),
  key_conflict: clientError(400, 'The key in the header and the key in the body differ. Send one of them.'),
  key_missing: clientError(401, 'No instrumentation key. Send it as X-Instrumentation-Key or in the body.'),
  key_unknown: clientError(401, 'The instrumentation key is unknown. Check the spelling and the environment.'),
  key_revoked: clientError(401, 'The instrumentation key was revoked. Use its successor.'),
  key_expired: clientError(401, 'The instrumentation key has expired. Use its successor.'),
  metrics_token_wrong: clientError(
    401,
    'GET /metrics needs "Authorization: Bearer" with the METRICS_TOKEN of the service.',
  ),
  origin_not_allowed: clientError(
    403,
    "The page's origin is not on the key's list. Add it to the key or use another key.",
  ),
  kind_not_allowed: clientError(403, 'A browser sent a server key. Use a browser key in pages, and revoke this key.'),
  not_found: clientError(404, 'No route has this address.'),
  method_not_allowed: clientError(405, 'This address does not take this method.'),
  body_timeout: temporaryError(
    408,
    'info',
    'The body came too slowly: 30 s without a byte, or 300 s in all. Send smaller batches.',
  ),
  body_too_large: clientError(413, 'The body is over the limit. Send smaller batches.'),
  batch_too_large: clientError(413, 'The batch has too many events. Send smaller batches.'),
  content_type_unsupported: clientError(415, 'The body must be application/json, or text/plain holding JSON.'),
  encoding_unsupported: clientError(415, 'Content-Encoding must be gzip, deflate, br or zstd, or absent.'),
  quota_exceeded: temporaryError(429, 'info', 'The key is over its quota. Send again after Retry-After seconds.'),
  tenant_quota_exceeded: temporaryError(
    429,
    'info',
    'The tenant is over its quota of events per second, day or month. Send again after Retry-After seconds, or ask for a larger quota.',
  ),
  internal: temporaryError(500, 'error', 'Internal error. Send again later; the log of the server has the cause.'),
  stream_unavailable: temporaryError(
    503,
    'warn',
    'The event stream did not confirm the write. Send again after Retry-After seconds.',
  ),
  stream_set_back: temporaryError(
    503,
    'error',
    'The store of the event stream was set back, and its operator must act. Send again after Retry-After seconds.',
  ),
  clocks_differ: temporaryError(
    503,
    'error',
    'The clocks of the receiver and the stream server differ, so it is unsure whether the key has expired. Send again after Retry-After seconds.',
  ),
  keys_unavailable: temporaryError(
    503,
    'warn',
    'Keys have not been loaded yet, or their changes cannot be followed now. Send again after Retry-After seconds.',
  ),
  overloaded: temporaryError(503, 'info', 'Too much is in flight. Send again after Retry-After seconds.'),
  not_ready: temporaryError(503, 'info', 'GET /readyz: this receiver must get no requests now; "reason" says why.'),
  stopping: temporaryError(503, 'info', 'This receiver is stopping. Send again; another one answers.'),
} as const satisfies Record<string, ErrorKind>;

/** Reasons to reject one event of a batch. A repetition is rejected again. */
export const EVENT_ERRORS = {
  event_not_object: 'An event must be a JSON object.',
  type_unknown: 'The event type is not known.',
  server_key_required: 'The event type is for server keys. Send it from the backend with a server key.',
  field_missing: 'A required field is missing.',
  field_unknown: 'A field is not part of this event type. Put your own data under "properties".',
  field_type: 'A field has the wrong JSON type.',
  field_format: 'A text field does not have the required form.',
  field_range: 'A number, text or list is too small, too large or has too many decimals.',
  text_invalid: 'A required id holds U+0000, half of a surrogate pair or bytes that are not UTF-8.',
  number_invalid: 'A number is too large, or has more digits than can be kept.',
  nesting_too_deep: 'Rows of earlier versions: "properties" was nested too deeply. Now the inner part is left out.',
  event_too_large: 'The event is over the size limit.',
  timestamp_too_old: 'The timestamp is too far in the past.',
  timestamp_in_future: "The timestamp is in the future, after correction for the sender's clock.",
} as const satisfies Record<string, string>;

export type RequestErrorCode = keyof typeof REQUEST_ERRORS;
export type EventErrorCode = keyof typeof EVENT_ERRORS;

/** A failure of a request to the receiver. */
export class ReceiverError extends CodedError<RequestErrorCode> {}
