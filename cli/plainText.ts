/**
 * Find an empty value, control characters, or blanks around a value.
 * Copied values may end in an invisible character, such as the carriage return of a CSV from Windows.
 * @returns a message that names the character, or undefined
 */
export function plainTextFault(what: string, value: string): string | undefined {
  if (value.trim() === '') return `${what} is empty: give a value, or leave the option out`;
  const control = /\p{Cc}|\p{Cf}|[\u2028\u2029]/u.exec(value);
  const blank = /^\s|\s$/u.exec(value);
  const found = control ?? blank;
  if (!found) return undefined;
  const code = found[0].codePointAt(0)!;
  const named = NAMES[code] ?? (control ? 'a character that is not seen' : 'a blank');
  const where =
    found.index === 0 ? 'begins with' : found.index === value.length - found[0].length ? 'ends with' : 'holds';
  return `${what} ${JSON.stringify(value)} ${where} ${named} (U+${code.toString(16).toUpperCase().padStart(4, '0')}): take it away`;
}

const NAMES: Record<number, string> = {
  9: 'a tab',
  10: 'a line feed',
  13: 'a carriage return',
  32: 'a space',
  160: 'a no-break space',
  0xfeff: 'a byte order mark',
};
