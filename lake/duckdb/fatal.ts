/**
 * True for an error after which DuckDB answers nothing more.
 *
 * A FATAL or INTERNAL error invalidates the database for good, and so does a failed checkpoint of an attached one.
 */
export function isFatal(message: string): boolean {
  return /^(?:FATAL|INTERNAL) Error|database has been invalidated/i.test(message);
}
