/** A failure with a stable code and a message that is safe to show to the caller. */
export class CodedError<Code extends string> extends Error {
  readonly code: Code;
  readonly retryAfterSeconds: number | undefined;
  /** More fields of the answer. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: Code,
    message: string,
    options: {
      retryAfterSeconds?: number | undefined;
      cause?: unknown;
      details?: Readonly<Record<string, unknown>>;
    } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.details = options.details ?? {};
  }
}
