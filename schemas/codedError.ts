/** A failure with a stable code and a message that is safe to show to the caller. */
export class CodedError<Code extends string> extends Error {
  readonly code: Code;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: Code, message: string, options: { retryAfterSeconds?: number | undefined; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}
