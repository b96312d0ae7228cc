import accessors from '@duckdb/node-api/lib/vectors/dataAccessors.js';

/**
 * Keeps a U+FEFF at the start of DuckDB's texts.
 *
 * The client decodes each text like a file, and drops the character as a byte order mark. There is no option for this,
 * so its decoder is replaced. The call affects the whole process and may be repeated.
 */
export function keepLeadingBom(): void {
  if (!accessors.textDecoder.ignoreBOM)
    Object.assign(accessors, { textDecoder: new TextDecoder('utf-8', { ignoreBOM: true }) });
}
