import type { DuckDBConnection } from '@duckdb/node-api';
import { lowerPriority } from '../../runtime/niceness.ts';
import { openParentChannel } from '../../runtime/parentChannel.ts';
import type { EngineAnswer, EngineChildOptions, EngineRequest } from './engine.ts';
import { connectUtc, openDuckdbInstance } from './instance.ts';
import type { SqlRow } from './sqlEngine.ts';
import { literal } from './sqlText.ts';

/**
 * DuckDB in a process of its own, started by engine.ts.
 *
 * Statements and rows travel over IPC, and each session has its own connection.
 */
const { instance: options, keepMemory, niceness } = JSON.parse(process.argv[2] ?? '{}') as EngineChildOptions;
if (niceness > 0) lowerPriority(niceness);
const instance = await openDuckdbInstance(options);
const startBytes = process.memoryUsage.rss();
/** Use in bytes after which memory is kept; infinite where it never is, or is already. */
let keepAfter = keepMemory ? (await keptBytes()) / 2 : Infinity;
const sessions = new Map<number, Promise<DuckDBConnection>>();

const reply = openParentChannel<EngineRequest, EngineAnswer>((request) => void answer(request));
reply({ id: 0, rows: [], rssBytes: process.memoryUsage.rss() });

async function answer(request: EngineRequest): Promise<void> {
  const { id } = request;
  try {
    const rows = await run(request);
    // Without the memory, statements are slower and nothing else.
    await keepUsed().catch(() => undefined);
    reply({ id, rows, rssBytes: process.memoryUsage.rss() });
  } catch (error) {
    reply({ id, error: String((error as Error).message ?? error), rssBytes: process.memoryUsage.rss() });
  }
}

async function run({ session, statements }: EngineRequest): Promise<SqlRow[][]> {
  if (statements === undefined) {
    const connection = sessions.get(session);
    sessions.delete(session);
    (await connection)?.closeSync();
    return [];
  }
  let connection = sessions.get(session);
  if (!connection) sessions.set(session, (connection = connectUtc(instance)));
  const opened = await connection;
  const rows: SqlRow[][] = [];
  for (const sql of statements) rows.push(await (await opened.run(sql)).getRowObjectsJson());
  return rows;
}

/**
 * Has DuckDB keep memory, and uses all of it once.
 *
 * DuckDB prefers fresh memory to used memory, and fresh memory costs page faults. The first use takes time, which
 * limits the amount. The figures are in docs/performance.md, "Page faults".
 */
async function keepUsed(): Promise<void> {
  if (process.memoryUsage.rss() - startBytes < keepAfter) return;
  keepAfter = Infinity;
  const bytes = await keptBytes();
  const connection = await instance.connect();
  await connection.run(`SET block_allocator_memory = ${literal(`${bytes} bytes`)}`);
  await connection.run(`CREATE TEMP TABLE memory AS FROM range(${Math.floor(bytes / 8)})`);
  await connection.run('DROP TABLE memory');
  connection.closeSync();
}

/** Bytes to keep: a quarter of DuckDB's memory, 256 MiB at most. */
async function keptBytes(): Promise<number> {
  const connection = await instance.connect();
  const share = "least(parse_formatted_bytes(current_setting('memory_limit')) // 4, 268435456)";
  const [row] = (await connection.runAndReadAll(`SELECT ${share}`)).getRowsJson();
  connection.closeSync();
  return Number(row![0]);
}
