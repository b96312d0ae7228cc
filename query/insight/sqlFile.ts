import { readFileSync } from 'node:fs';

/** A file of SQL: its leading comment and its SQL. */
export interface SqlFile {
  name: string;
  /** The first sentence or two, on one line. */
  summary: string;
  /** The other lines of the comment, unchanged. */
  details: string[];
  sql: string;
}

/**
 * Parses `-- name: summary`, further comment lines, then SQL.
 * @throws Error if the file begins otherwise, or with another name
 */
export function parseSqlFile(text: string, name: string): SqlFile {
  const lines = text.split('\n');
  const end = lines.findIndex((line) => !line.startsWith('--'));
  const comment = lines.slice(0, end).map((line) => line.replace(/^-- ?/, ''));
  const first = /^([a-z_]+): (.+)$/.exec(comment[0] ?? '');
  if (first?.[1] !== name) throw new Error(`${name}.sql must begin with "-- ${name}: <summary>"`);
  return { name, summary: first[2]!, details: comment.slice(1), sql: lines.slice(end).join('\n').trim() };
}

/**
 * Reads and parses a file of SQL.
 * @throws Error if the file is absent or has another form
 */
export function readSqlFile(file: URL, name: string): SqlFile {
  return parseSqlFile(readFileSync(file, 'utf8'), name);
}

/** Fields of `key: text` lines; an indented line continues the key before. */
export function readFields(lines: readonly string[]): Map<string, string[]> {
  const fields = new Map<string, string[]>();
  let current: string[] | undefined;
  for (const line of lines) {
    const field = /^([a-z]+(?: .*?)?): ?(.*)$/.exec(line);
    if (field && !line.startsWith(' ')) fields.set(field[1]!, (current = [field[2]!]));
    else current?.push(line);
  }
  return fields;
}
