/** A sender's own words made safe to store: bounded in UTF-16 units, whole characters only, no U+0000. */
export function safeText(text: string, maxLength: number): string {
  return text.slice(0, maxLength).replaceAll('\0', '\uFFFD').toWellFormed();
}
