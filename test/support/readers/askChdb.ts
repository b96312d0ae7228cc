import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Question } from './questions.ts';

/** Asks chDB, which reads Delta by delta-kernel. Prints each question with another answer, as a line of JSON. */
function main(folder: string, file: string): void {
  const { Session } = createRequire(`${folder}/package.json`)('chdb') as {
    Session: new () => { query(sql: string, format: string): string; close(): void };
  };
  const session = new Session();
  for (const question of JSON.parse(readFileSync(file, 'utf8')) as Question[]) {
    const { filter, rows } = question;
    const where = filter ? ` WHERE \`${filter.column}\` = ${literal(filter)}` : '';
    const answer = session.query(`SELECT count() FROM ${relation(question)}${where}`, 'TSV').trim();
    if (answer !== String(rows)) process.stdout.write(`${JSON.stringify({ engine: 'chDB', answer, ...question })}\n`);
  }
  session.close();
}

function relation({ table, s3 }: Question): string {
  if (!s3) return `deltaLakeLocal(${quoted(table)})`;
  return `deltaLake(${[table.replace('s3:/', s3.endpoint), s3.id, s3.secret].map(quoted).join(', ')})`;
}

function literal({ type, value }: NonNullable<Question['filter']>): string {
  if (type === 'decimal') return `toDecimal128(${quoted(value)}, 4)`;
  if (type === 'time') return `toDateTime64(${quoted(value.replace(/\+00$/, ''))}, 6, 'UTC')`;
  return type === 'text' ? quoted(value) : value;
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

main(process.argv[2]!, process.argv[3]!);
