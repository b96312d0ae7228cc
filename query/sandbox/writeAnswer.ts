import { open, rename, stat, type FileHandle } from 'node:fs/promises';
import type { DuckDBConnection } from '@duckdb/node-api';
import { LakeError } from '../../lake/errors.ts';
import { parquetCopyOptions } from '../../lake/duckdb/parquet.ts';
import { identifier, literal } from '../../lake/duckdb/sqlText.ts';
import { createArrowEncoder } from '../formats/arrowEncoder.ts';
import { behindOwnLine } from './duckdbErrors.ts';
import { createTextEncoder, type AnswerColumn, type AnswerFormat } from '../formats/formats.ts';
import type { KeptInstance, OpenInstance } from './instances.ts';
import { EXPLAIN } from './sqlCheck.ts';
import { runOurs, runSandboxed, type SandboxLimits, type SandboxQuery, type SandboxSession } from './sandbox.ts';

/** A query and the file for its answer. */
export interface AnswerJob {
  query: SandboxQuery;
  limits: SandboxLimits;
  format: AnswerFormat;
  /** Absolute path of a new file. The author of the query must not know its name. */
  file: string;
}

export interface AnswerFacts {
  columns: AnswerColumn[];
  rowCount: number;
  /** True if a limit cut rows off. */
  truncated: boolean;
  bytes: number;
  /** Number of rows that the views left out as those of bots, if any. */
  botsLeftOut?: number;
  /** Processor time of the process that ran it; absent if it shares its process. */
  cpuMs?: number;
}

/** Interval of checks of a growing Parquet file's size. */
const SIZE_EVERY_MS = 50;

/**
 * Run a query and write its answer to a file, within the limits.
 * @throws LakeError those of runSandboxed; answer_too_large for a Parquet file, which cannot be cut at a byte
 */
export function writeAnswer(
  { query, limits, format, file }: AnswerJob,
  { open, kept }: { open?: OpenInstance | undefined; kept?: KeptInstance } = {},
): Promise<AnswerFacts> {
  const files = format === 'parquet' ? [...query.files, file, firstOf(file)] : query.files;
  const task = async (session: SandboxSession): Promise<AnswerFacts> => ({
    ...(format === 'parquet'
      ? await writeParquet(session, { query, limits, file })
      : await writeRows(session, { format, file, limits })),
    ...(await botsLeftOut(session, query)),
  });
  return query.isOurs && kept
    ? runOurs({ ...query, files }, { limits, kept }, task)
    : runSandboxed({ ...query, files }, { limits, open }, task);
}

async function botsLeftOut(
  { connection }: SandboxSession,
  { botCount }: SandboxQuery,
): Promise<Pick<AnswerFacts, 'botsLeftOut'>> {
  if (botCount === undefined) return {};
  const [[count] = []] = (await connection.runAndReadAll(botCount)).getRows();
  return count ? { botsLeftOut: Number(count) } : {};
}

async function writeRows(
  session: SandboxSession,
  { format, file, limits }: { format: Exclude<AnswerFormat, 'parquet'>; file: string; limits: SandboxLimits },
): Promise<AnswerFacts> {
  const stream = await session.stream();
  const { names, types } = stream;
  const columns = names.map((name, index) => ({ name, type: String(types[index]) }));
  const encoder = format === 'arrow' ? createArrowEncoder(names, types) : createTextEncoder(format, columns);
  const target = await open(file, 'wx');
  try {
    let bytes = await write(target, encoder.head);
    let rowCount = 0;
    let truncated = false;
    // Memory exceeds no limit by more than one chunk of 2,048 rows.
    for await (const rows of stream.chunks()) {
      const { data, taken } = encoder.rows(rows.slice(0, limits.maxRows - rowCount), limits.maxBytes - bytes);
      bytes += await write(target, data);
      rowCount += taken;
      truncated = taken < rows.length;
      if (truncated) break;
    }
    if (truncated) await stream.drain();
    bytes += await write(target, encoder.tail);
    return { columns, rowCount, truncated, bytes };
  } finally {
    await target.close();
  }
}

async function write(target: FileHandle, data: string | Uint8Array): Promise<number> {
  const bytes = Buffer.from(data);
  await target.writeFile(bytes);
  return bytes.length;
}

/**
 * Write a Parquet file, a second time if it has too many rows.
 *
 * The first attempt asks for one row more than allowed, to learn whether there are more.
 */
async function writeParquet(
  session: SandboxSession,
  { query, limits, file }: { query: SandboxQuery; limits: SandboxLimits; file: string },
): Promise<AnswerFacts> {
  const { connection } = session;
  const { values, types } = query.parameters ?? {};
  // The statement is checked to be single and complete, and has no comment at its end (statementText).
  const source = EXPLAIN.test(query.sql) ? await explained(connection, query.sql) : query.sql;
  const rows = `SELECT * FROM (\n${source}\n) LIMIT ${limits.maxRows + 1}`;
  const copy = (from: string, to: string): string => `COPY (${from}) TO ${literal(to)} (${parquetCopyOptions()})`;
  const first = firstOf(file);
  const run = async (): Promise<number> => {
    const copied = await connection.runAndReadAll(copy(rows, first), values, types).catch((error: unknown) => {
      throw behindOwnLine(error);
    });
    return Number(copied.getRows()[0]?.[0] ?? 0);
  };
  const count = await withinSize(first, limits.maxBytes, () => connection.interrupt(), run);
  const truncated = count > limits.maxRows;
  if (truncated) await connection.run(copy(`FROM read_parquet(${literal(first)}) LIMIT ${limits.maxRows}`, file));
  else await rename(first, file);
  const described = await connection.runAndReadAll(`DESCRIBE FROM read_parquet(${literal(file)})`);
  const columns = described.getRows().map(([name, type]) => ({ name: String(name), type: String(type) }));
  return { columns, rowCount: Math.min(count, limits.maxRows), truncated, bytes: (await stat(file)).size };
}

/** The rows of an EXPLAIN as a query, because it cannot stand in brackets itself. */
async function explained(connection: DuckDBConnection, sql: string): Promise<string> {
  const plan = await connection.runAndReadAll(sql);
  const rows = plan.getRows().map((row) => `(${row.map((value) => literal(String(value))).join(', ')})`);
  return `SELECT * FROM (VALUES ${rows.join(', ')}) plan (${plan.columnNames().map(identifier).join(', ')})`;
}

function firstOf(file: string): string {
  return `${file}.first`;
}

/** Interrupt a task at an oversized file. Check the size again at its end. */
async function withinSize<T>(file: string, maxBytes: number, stop: () => void, task: () => Promise<T>): Promise<T> {
  let tooLarge = false;
  const timer = setInterval(() => {
    stat(file).then(
      ({ size }) => {
        tooLarge ||= size > maxBytes;
        if (tooLarge) stop();
      },
      () => undefined, // the file does not exist yet
    );
  }, SIZE_EVERY_MS);
  const fault = (): LakeError =>
    new LakeError('answer_too_large', `The answer is over ${maxBytes} bytes. Narrow the query, or ask in parts.`);
  try {
    const done = await task();
    if ((await stat(file)).size > maxBytes) throw fault();
    return done;
  } catch (error) {
    throw tooLarge ? fault() : error;
  } finally {
    clearInterval(timer);
  }
}
