import type { DuckDBConnection } from '@duckdb/node-api';
import { LakeError } from '../../lake/errors.ts';
import { classify } from './duckdbErrors.ts';

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

/** Table functions that read the table named by their first argument, or by `source`. */
const TABLE_READERS = new Set(['histogram', 'histogram_values']);
const PLAIN_NAME = /^[a-z_][a-z0-9_]*$/i;

/** Scalar functions and macros with side effects, or that show settings, paths of this host, or other SQL. */
const REFUSED_FUNCTIONS = new Set([
  'write_log',
  'sleep_ms',
  'pg_sleep',
  'current_setting',
  'current_query',
  'get_block_size',
  'pg_get_viewdef',
  'json_execute_serialized_sql',
  'json_serialize_plan',
  'getenv',
  'nextval',
  'currval',
]);

/** Built-in relations that show settings, logs, or the SQL of views with paths of this host. */
const REFUSED_RELATIONS = new Set([
  'pg_settings',
  'pg_views',
  'pg_prepared_statements',
  'duckdb_views',
  'duckdb_logs',
  'sqlite_master',
  'sqlite_schema',
  'sqlite_temp_master',
  'sqlite_temp_schema',
]);

/** Built-in relations that list relations. */
const CATALOG = /^(?:information_schema|pg_catalog)\.|\.(?:duckdb_|sqlite_|pg_)/i;

/** The beginning of an EXPLAIN, which the parse tree cannot hold. */
export const EXPLAIN = /^\s*explain\s+(?:analyze\s+)?/i;

/**
 * Reject all SQL but a single statement that only reads.
 *
 * DuckDB's own parse tree decides (`json_serialize_sql`), on a connection without data. The sandbox is a second barrier; this
 * check comes before DuckDB binds anything.
 * @throws LakeError sql_invalid, sql_not_one_statement, sql_not_a_query, sql_forbidden
 */
export async function checkSql(parser: DuckDBConnection, sql: string): Promise<CheckedSql> {
  // DuckDB would read the text up to this character only.
  if (sql.includes('\0')) throw new LakeError('sql_invalid', 'The SQL holds the character NUL. Write it as chr(0).');
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
    throw classify(error);
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
    if (type === 'BASE_TABLE') noteTable(named, String(table), String(schema));
    if (
      type === 'SHOW_REF' ? table !== '' : type === 'BASE_TABLE' && CATALOG.test(`${String(schema)}.${String(table)}`)
    )
      named.catalog = true;
    if (type === 'TABLE_FUNCTION') {
      refuseUnless(TABLE_FUNCTIONS.has(nameOf(call)), nameOf(call));
      if (TABLE_READERS.has(nameOf(call))) noteTable(named, tableRead(call as Call), '');
    }
    if (kind === 'FUNCTION') {
      const name = String(scalar).toLowerCase();
      named.functions.add(name);
      refuseUnless(!REFUSED_FUNCTIONS.has(name), name);
    }
    // A spread call would overflow the stack at a hundred thousand values.
    for (const value of Object.values(node)) stack.push(value);
  }
  return named;
}

/** @throws LakeError sql_forbidden */
function noteTable(named: CheckedSql, table: string, schema: string): void {
  const name = table.toLowerCase();
  const isViewText = name === 'views' && schema.toLowerCase() === 'information_schema';
  if (isViewText || REFUSED_RELATIONS.has(name)) {
    const shown = table.slice(0, 80);
    throw new LakeError('sql_forbidden', `The relation ${shown} is not allowed. SHOW TABLES lists the relations.`);
  }
  named.tables.add(name);
}

interface Call {
  function_name: string;
  children?: { alias?: string; column_names?: unknown[]; value?: { value?: unknown } }[];
}

/**
 * Name of the table that a call reads.
 * @throws LakeError sql_forbidden if it is not a plain name: quoted, it could name a file or any other relation
 */
function tableRead({ function_name: called, children = [] }: Call): string {
  const source = children.find(({ alias }) => alias?.toLowerCase() === 'source') ?? children[0];
  const name = source?.column_names?.length === 1 ? source.column_names[0] : source?.value?.value;
  if (typeof name === 'string' && PLAIN_NAME.test(name)) return name;
  throw new LakeError('sql_forbidden', `${called} takes the plain name of a view, such as ${called}(events, type).`);
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
