/**
 * Whether a pattern of subjects holds every subject of another one.
 *
 * `*` is one token, and `>` at the end is one or more (NATS, subject-based messaging).
 */
export function coversSubject(pattern: string, subject: string): boolean {
  const allowed = pattern.split('.');
  const tokens = subject.split('.');
  for (const [index, token] of allowed.entries()) {
    if (token === '>') return tokens.length > index;
    if (tokens[index] === undefined || tokens[index] === '>') return false;
    if (token !== '*' && token !== tokens[index]) return false;
  }
  return tokens.length === allowed.length;
}
