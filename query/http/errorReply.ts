import { StreamUnavailableError } from '../../stream/errors.ts';
import { LakeError } from '../../lake/errors.ts';
import { retryAfter } from '../../schemas/errorKind.ts';
import { LAKE_ERRORS } from '../../schemas/queryErrors.ts';
import { jsonReply, type Reply } from './route.ts';

/** Maps any error to a LakeError; an unknown one becomes `internal`. */
export function asLakeError(error: unknown): LakeError {
  if (error instanceof StreamUnavailableError)
    return new LakeError(error.code, error.message, { retryAfterSeconds: error.retryAfterSeconds, cause: error.cause });
  return error instanceof LakeError ? error : new LakeError('internal', LAKE_ERRORS.internal.help, { cause: error });
}

/** Reply `{"code", "message"}` and the error's own details. Details of internal faults stay in the log. */
export function errorReply(error: LakeError): Reply {
  const kind = LAKE_ERRORS[error.code];
  const { status, help } = kind;
  const reply = jsonReply(
    { code: error.code, message: status >= 500 ? help : error.message, ...error.details },
    status,
  );
  const seconds = retryAfter(kind, error);
  if (seconds !== undefined) reply.headers['retry-after'] = String(seconds);
  if (status === 401) reply.headers['www-authenticate'] = 'Bearer';
  if (error.code === 'encoding_unsupported') reply.headers['accept-encoding'] = 'identity';
  // A page of any site may read why it is refused. Data it cannot ask for: no preflight allows a token.
  reply.headers['access-control-allow-origin'] = '*';
  reply.headers['access-control-expose-headers'] = '*';
  return reply;
}
