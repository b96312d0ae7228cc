/** HTTP status, log level and documentation of one error code. */
export interface ErrorKind {
  status: number;
  level: 'debug' | 'info' | 'warn' | 'error';
  /** The same request may succeed later. */
  retryable: boolean;
  /** Text of the reference page; the error itself carries a message about the case at hand. */
  help: string;
}

/** Row of a request that its sender must change. */
export function clientError(status: number, help: string): ErrorKind {
  return { status, level: 'debug', retryable: false, help };
}

/** Row of a failure that passes: the same request may succeed later. */
export function temporaryError(status: number, level: ErrorKind['level'], help: string): ErrorKind {
  return { status, level, retryable: true, help };
}

/** Row of a failure on our side that a repetition does not change. */
export function permanentFault(help: string): ErrorKind {
  return { status: 500, level: 'error', retryable: false, help };
}

/** Seconds until the next attempt; undefined if the same request cannot succeed. */
export function retryAfter(
  { retryable }: ErrorKind,
  { retryAfterSeconds }: { retryAfterSeconds: number | undefined },
): number | undefined {
  return retryable ? (retryAfterSeconds ?? 1) : undefined;
}
