/** A text as an SQL literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A name as an SQL identifier. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * SQL of an event id as 32 hexadecimal digits.
 *
 * A UUID gives its own digits, and any other text those of its MD5. Case does not matter; a missing id is null.
 * @param column SQL of a text
 */
export function hexId(column: string): string {
  return `coalesce(${uuidHex(column)}, md5(lower(${column})))`;
}

/** SQL of a UUID's 32 digits, null for any other text. @param column SQL of a text */
export function uuidHex(column: string): string {
  return `replace(TRY_CAST(${column} AS UUID)::VARCHAR, '-', '')`;
}
