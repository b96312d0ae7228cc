/**
 * Characters that a terminal or a reader takes for something else than text.
 *
 * These are control characters of both sets (C0 with escape, C1), and those that are not seen: bidirectional marks,
 * tags, zero-width ones, line separators. Joiners stay, because scripts and emoji need them.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;
const KEPT = new Set(['\n', '\t', '\u200c', '\u200d']);
const LINE_ENDS = /[\n\t]/g;

/**
 * Text that shows its unseen characters as `\u001b`.
 *
 * Line feeds and tabs stay. In JSON text the values are the same as before, because such a character can only stand
 * within a string there.
 */
export function shownText(text: string): string {
  return text.replaceAll(UNSEEN, (found) => (KEPT.has(found) ? found : escaped(found)));
}

/** A value within a line, which cannot begin another one. */
export function shownLine(text: string): string {
  return shownText(text).replaceAll(LINE_ENDS, escaped);
}

function escaped(text: string): string {
  return Array.from({ length: text.length }, (_, at) => {
    return `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`;
  }).join('');
}
