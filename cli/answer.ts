import { resolve } from 'node:path';
import { answerBytes } from '../query/engine/answerBytes.ts';
import type { AnswerFormat } from '../query/formats/formats.ts';
import type { Queries, QueryAnswer, QueryRequest } from '../query/engine/query.ts';
import type { Json } from '../query/formats/values.ts';
import { UsageError, type Context } from './command.ts';
import { numberOption } from './number.ts';
import { formatTable } from './table.ts';
import type { Pieces } from '../runtime/newFile.ts';
import { writeWhole } from './wholeFile.ts';

/** Formats of the query server, and `table` for people. */
const FORMATS = ['table', 'json', 'ndjson', 'csv', 'parquet', 'arrow'] as const satisfies ('table' | AnswerFormat)[];

/** Options of the commands that answer with rows. */
export const ANSWER_OPTIONS = {
  format: { type: 'string' },
  out: { type: 'string' },
  version: { type: 'string' },
} as const;

/** Usage texts of ANSWER_OPTIONS. */
export const ANSWER_USAGE = [
  ['format <format>', `${FORMATS.join(', ')} (default: the ending of --out, else table; --json is short for json)`],
  ['out <file>', 'write to this file instead of standard output'],
  ['version <n>', 'as of this version of the table (default: the newest)'],
] as const;

/** Binary formats. */
const BINARY: readonly string[] = ['parquet', 'arrow'];

/** The form of an answer that the options ask for. */
export interface Wanted {
  format: (typeof FORMATS)[number];
  /** Path of a file; absent: standard output. */
  out?: string;
  version?: number;
}

/** Read the options of an answer. @throws UsageError */
export function wantedAnswer(
  values: { format?: string; out?: string; version?: string; json?: boolean },
  { cwd, terminal }: Pick<Context, 'cwd' | 'terminal'>,
): Wanted {
  const { out, version } = values;
  if (values.json && values.format !== undefined && values.format !== 'json')
    throw new UsageError(`--json and --format ${values.format} exclude each other`);
  const ending = FORMATS.find((known) => out?.endsWith(`.${known}`));
  const name = values.json ? 'json' : (values.format ?? ending ?? 'table');
  const format = FORMATS.find((known) => known === name);
  if (format === undefined) throw new UsageError(`--format ${name} is not one of ${FORMATS.join(', ')}`);
  if (BINARY.includes(format) && out === undefined && terminal) {
    throw new UsageError(`${format} cannot be shown in a terminal: write it to a file with --out or ">"`);
  }
  return {
    format,
    ...(out === undefined ? {} : { out: resolve(cwd, out) }),
    ...(version === undefined
      ? {}
      : { version: numberOption('--version', version, { min: 0, max: Number.MAX_SAFE_INTEGER }) }),
  };
}

/**
 * Ask, and write the answer to the file or standard output.
 * Standard error says that a limit cut the answer.
 * @param more the advice how to see more rows
 * @param formatForDisplay the cells of a row in a table
 * @throws LakeError
 */
export async function printAnswer(
  context: Context,
  queries: Queries,
  asked: QueryRequest,
  { format, out, version }: Wanted,
  { more, formatForDisplay = (row) => row }: { more: string; formatForDisplay?: (row: Json[]) => Json[] },
): Promise<Pick<QueryAnswer, 'rowCount' | 'truncated' | 'snapshot'>> {
  const request = { ...asked, asOf: { version } };
  if (format === 'table') {
    const answer = await queries.run(request);
    sayCut(context, answer, more);
    await write(context, out, [tableOf(answer, formatForDisplay)]);
    return answer;
  }
  const answer = await queries.answer({ ...request, format });
  sayCut(context, answer, more);
  await write(context, out, withLineEnd(answerBytes(answer, format).pieces, format === 'json' ? '\n' : ''));
  return answer;
}

function sayCut(
  context: Context,
  { truncated, rowCount, botsLeftOut }: Pick<QueryAnswer, 'truncated' | 'rowCount' | 'botsLeftOut'>,
  more: string,
) {
  if (botsLeftOut !== undefined)
    context.err(`spor: ${botsLeftOut} events of bots are left out; the relation events_with_bots has them\n`);
  if (!truncated) return;
  context.err(`spor: a limit of rows or bytes (LAKE_QUERY_MAX_BYTES) keeps only the first ${rowCount} rows; ${more}\n`);
}

function tableOf({ columns, rows, rowCount }: QueryAnswer, formatForDisplay: (row: Json[]) => Json[]): string {
  const names = columns.map(({ name }) => name);
  return `${formatTable(names, rows.map(formatForDisplay))}${rowCount} ${rowCount === 1 ? 'row' : 'rows'}\n`;
}

async function* withLineEnd(pieces: Pieces, end: string): AsyncGenerator<string | Uint8Array> {
  yield* pieces;
  if (end !== '') yield end;
}

async function write(context: Context, out: string | undefined, pieces: Pieces): Promise<void> {
  if (out !== undefined) return writeWhole(out, pieces);
  // A file or a pipe gets the exact bytes. A terminal gets text, which shows control characters.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  for await (const piece of pieces) {
    const asText = context.terminal && typeof piece !== 'string';
    context.out(asText ? decoder.decode(piece, { stream: true }) : piece);
  }
}
