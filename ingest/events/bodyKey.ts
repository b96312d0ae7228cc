const NAME = '"instrumentationKey"';
/** Most values to return: a body may hold the name in its events too. */
const MOST_FOUND = 8;
/** Bytes of a value that are looked at; no key is as long. */
const VALUE_BYTES = 256;

/**
 * Texts that a JSON body names "instrumentationKey", at any depth.
 *
 * A search of bytes, which costs a small part of parsing. So a body of an unknown sender is never parsed. The first
 * values are returned, and the last.
 */
export function keysNamedIn(body: Buffer): string[] {
  const found: string[] = [];
  let at = body.indexOf(NAME);
  for (; at >= 0 && found.length < MOST_FOUND; at = body.indexOf(NAME, at + NAME.length)) {
    const value = textAfter(body, at + NAME.length);
    if (value !== undefined) found.push(value);
  }
  const last = at < 0 ? undefined : textAfter(body, body.lastIndexOf(NAME) + NAME.length);
  if (last !== undefined) found.push(last);
  return [...new Set(found)];
}

/** The text behind a name and its colon; a long one is cut. Undefined if there is none. */
function textAfter(body: Buffer, from: number): string | undefined {
  const match = /^[ \t\r\n]*:[ \t\r\n]*"((?:[^"\\]|\\.)*)/.exec(body.toString('latin1', from, from + VALUE_BYTES));
  if (!match) return undefined;
  try {
    return JSON.parse(`"${match[1]}"`) as string;
  } catch {
    return undefined;
  }
}
