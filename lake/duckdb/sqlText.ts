/** A text as an SQL literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A name as an SQL identifier. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * An event id as 32 hexadecimal digits: the UUID's own, or else those of its MD5. Case does not matter; a missing id is null.
 * @param column SQL of a text
 */
export function hexId(column: string): string {
  return `coalesce(${uuidHex(column)}, md5(lower(${column})))`;
}

/** The 32 digits of a UUID, or null where the text is none. @param column SQL of a text */
export function uuidHex(column: string): string {
  return `replace(TRY_CAST(${column} AS UUID)::VARCHAR, '-', '')`;
}
