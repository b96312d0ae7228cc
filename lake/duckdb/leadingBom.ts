import accessors from '@duckdb/node-api/lib/vectors/dataAccessors.js';

/**
 * Has DuckDB's texts read as they are. Its client decodes them as if each were a file, where a U+FEFF at the start is a mark of
 * byte order and left out; there is no option, so its decoder is replaced. For the whole process, any number of times.
 */
export function keepLeadingBom(): void {
  if (!accessors.textDecoder.ignoreBOM)
    Object.assign(accessors, { textDecoder: new TextDecoder('utf-8', { ignoreBOM: true }) });
}
