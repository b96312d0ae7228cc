import { CodedError } from '../schemas/codedError.ts';

const NO_ANSWER = 'The stream server did not answer. Send again after Retry-After seconds.';

/** The stream server does not answer, or has no streams yet. The same request may succeed later. */
export class StreamUnavailableError extends CodedError<'stream_unavailable'> {
  constructor(message: string = NO_ANSWER, options: { retryAfterSeconds?: number; cause?: unknown } = {}) {
    super('stream_unavailable', message, options);
  }
}
