import type { DuckDBConnection } from '@duckdb/node-api';
import { LakeError } from '../../lake/errors.ts';

/** Names in a query, in lower case. */
export interface CheckedSql {
  /** Names in FROM clauses, including those of CTEs. */
  tables: Set<string>;
  /** Scalar and aggregate functions, and macros. */
  functions: Set<string>;
  /** True if the query lists relations, for instance by SHOW TABLES or information_schema. */
  catalog: boolean;
}

/**
 * Table functions that a tenant may use.
 *
 * All others are rejected before DuckDB binds the query. They read files, settings or memory (`arrow_scan` takes a pointer), or
 * change the database (`enable_logging` can end the process).
 */
const TABLE_FUNCTIONS = new Set([
  'range',
  'generate_series',
  'unnest',
  'repeat',
  'repeat_row',
  'json_each',
  'json_tree',
  'histogram',
  'histogram_values',
  'pg_timezone_names',
  'icu_calendar_names',
  'pragma_version',
]);

/** Scalar functions with side effects. */
const REFUSED_FUNCTIONS = new Set([
  'write_log',
  'sleep_ms',
  'current_setting',
  'json_execute_serialized_sql',
  'getenv',
  'nextval',
  'currval',
]);

/** Built-in relations that list relations. */
const CATALOG = /^(?:information_schema|pg_catalog)\.|\.(?:duckdb_|sqlite_|pg_)/i;

const EXPLAIN = /^\s*explain\s+(?:analyze\s+)?/i;

/**
 * Reject all SQL but a single statement that only reads.
 *
 * DuckDB's own parse tree decides (`json_serialize_sql`), on a connection without data. The sandbox is a second barrier; this
 * check comes before DuckDB binds anything.
 * @throws LakeError sql_invalid, sql_not_one_statement, sql_not_a_query, sql_forbidden
 */
export async function checkSql(parser: DuckDBConnection, sql: string): Promise<CheckedSql> {
  const query = sql.replace(EXPLAIN, '');
  const parsed = await parse(parser, query);
  if (parsed.error) {
    if (parsed.error_type === 'not implemented') {
      const pivot = /^\s*(?:pivot|from)\b/i.test(query) ? ' A PIVOT needs its values: ON column IN (…).' : '';
      throw new LakeError(
        'sql_not_a_query',
        `Only statements that read are allowed: SELECT, WITH, FROM, VALUES, DESCRIBE, SUMMARIZE, EXPLAIN.${pivot}`,
      );
    }
    throw new LakeError('sql_invalid', parsed.error_message ?? 'The SQL does not parse.');
  }
  if (parsed.statements?.length !== 1) {
    throw new LakeError(
      'sql_not_one_statement',
      `Send exactly one SQL statement; this text has ${parsed.statements?.length ?? 0}.`,
    );
  }
  return inspect(parsed.statements);
}

interface Parsed {
  error: boolean;
  error_type?: string;
  error_message?: string;
  statements?: unknown[];
}

async function parse(parser: DuckDBConnection, sql: string): Promise<Parsed> {
  let rows: unknown[][];
  try {
    rows = (await parser.runAndReadAll('SELECT json_serialize_sql($1::VARCHAR)', [sql])).getRowsJson();
  } catch (error) {
    throw new LakeError('sql_invalid', `The SQL does not parse: ${(error as Error).message}`, { cause: error });
  }
  return JSON.parse(String(rows[0]?.[0])) as Parsed;
}

/** Walk the parse tree iteratively, because the caller chooses its depth. */
function inspect(tree: unknown): CheckedSql {
  const named: CheckedSql = { tables: new Set(), functions: new Set(), catalog: false };
  const stack: unknown[] = [tree];
  while (stack.length > 0) {
    const node = stack.pop();
    if (typeof node !== 'object' || node === null) continue;
    const {
      type,
      class: kind,
      function: call,
      function_name: scalar,
      table_name: table,
      schema_name: schema,
    } = node as Record<string, unknown>;
    if (type === 'BASE_TABLE') named.tables.add(String(table).toLowerCase());
    if (
      type === 'SHOW_REF' ? table !== '' : type === 'BASE_TABLE' && CATALOG.test(`${String(schema)}.${String(table)}`)
    )
      named.catalog = true;
    if (type === 'TABLE_FUNCTION') refuseUnless(TABLE_FUNCTIONS.has(nameOf(call)), nameOf(call));
    if (kind === 'FUNCTION') named.functions.add(String(scalar).toLowerCase());
    if (kind === 'FUNCTION') refuseUnless(!REFUSED_FUNCTIONS.has(String(scalar).toLowerCase()), String(scalar));
    // A spread call would overflow the stack at a hundred thousand values.
    for (const value of Object.values(node)) stack.push(value);
  }
  return named;
}

function nameOf(call: unknown): string {
  const name = (call as { function_name?: unknown } | null)?.function_name;
  return typeof name === 'string' ? name.toLowerCase() : '';
}

function refuseUnless(allowed: boolean, name: string): void {
  if (allowed) return;
  throw new LakeError(
    'sql_forbidden',
    `The function ${name.slice(0, 80)} is not allowed: query the views, such as events.`,
  );
}
