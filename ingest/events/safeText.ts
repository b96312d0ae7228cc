/** Make a sender's text storable: bounded, whole characters, no U+0000. */
export function safeText(text: string, maxLength: number): string {
  return text.slice(0, maxLength).replaceAll('\0', '\uFFFD').toWellFormed();
}
