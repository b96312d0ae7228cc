import { eventColumns, QUARANTINE_COLUMNS } from '../../schemas/columns.ts';
import { duckdbType, type StructField } from '../../schemas/columnType.ts';
import type { Registry } from '../../schemas/registry.ts';
import { insightMacros, insightViews, viewsReadBy, type InsightView } from '../insight/views.ts';
import { identifier, literal } from '../../lake/duckdb/sqlText.ts';
import { TABLE_NAMES, type TableName } from '../../lake/layout/tables.ts';
import { SEQUENCE_COLUMN } from '../tail/tenantTail.ts';
import type { CheckedSql } from '../sandbox/sqlCheck.ts';

/** Local files that were written with the same columns, and so can be read as one relation. */
export interface FileGroup {
  /** Absolute paths, ending in `segment=<s>/date=<d>/<name>.parquet`. */
  paths: readonly string[];
  /** Whether the columns are unknown and may differ from file to file, so that every file must be opened to learn them. */
  mixed: boolean;
}

/** What a table's rows are read from. */
export interface TableFiles {
  /** Columns by the table's log: a newer version may have added some that are not known here. */
  columns?: readonly StructField[];
  groups: readonly FileGroup[];
  /** Files of what is not committed yet, whose rows count where `stream_sequence` is above a number. */
  tail?: { paths: readonly string[]; above: number } | undefined;
}

/** The part of the views that one statement reads. */
export interface NeededViews {
  /** Tables that are read at all. */
  tables: readonly TableName[];
  /** Creates what the statement reads, in order, over the given files of those tables. */
  statements(files: Record<TableName, TableFiles>): string[];
}

export interface ViewCatalog {
  /** What a statement reads; everything where it asks for what there is. */
  requiredViews(sql: CheckedSql): NeededViews;
  /** The same for a statement in which its views stand themselves, as in a report: tables and macros. */
  requiredTables(sql: CheckedSql): NeededViews;
}

const PARTITIONS: readonly StructField[] = [
  { name: 'segment', type: 'string' },
  { name: 'date', type: 'date' },
];

/** The relation that holds all rows of a table; the views of lake/insight read these. */
const BASE: Record<TableName, string> = { events: 'events_all', quarantine: 'quarantine_all' };

/**
 * The relations that queries see: those of lake/insight over `events_all` and `quarantine_all`. Each statement gets only
 * those it names and what these read in turn, so that the others cost nothing.
 */
export function openCatalog(registry: Registry): ViewCatalog {
  const views = insightViews(registry);
  const macros = insightMacros();
  const columns = { events: eventColumns(registry), quarantine: QUARANTINE_COLUMNS };
  const assemble = ({ tables: named, functions }: CheckedSql, picked: readonly InsightView[]): NeededViews => {
    const text = picked.map(({ sql }) => sql).join('\n');
    const reads = (word: string): boolean =>
      named.has(word) || functions.has(word) || new RegExp(`\\b${word}\\b`).test(text);
    const tables = TABLE_NAMES.filter((table) => reads(BASE[table]));
    return {
      tables,
      statements: (files) => [
        ...tables.map((table) => tableView(table, columns[table], files[table])),
        ...macros.filter(({ name }) => reads(name)).map(({ sql }) => sql),
        ...picked.map(({ name, sql }) => `CREATE VIEW ${name} AS ${sql}`),
      ],
    };
  };
  return {
    requiredViews: (sql) => {
      const named = [...sql.tables].map((name) => `FROM ${name}`).join('\n');
      return assemble(sql, sql.catalog ? views : viewsReadBy(named, views));
    },
    requiredTables: (sql) => assemble(sql, []),
  };
}

/** The column whose UTC date is a row's partition. */
const TIME_COLUMN: Record<TableName, string> = { events: 'event_time', quarantine: 'received_at' };

/** Every column exists whatever the files hold: those written before a column did read as NULL. */
function tableView(
  table: TableName,
  known: readonly StructField[],
  { columns = [], groups, tail }: TableFiles,
): string {
  const seen = new Set([...known, ...PARTITIONS].map(({ name }) => name));
  const all = [...known, ...columns.filter(({ name }) => !seen.has(name)), ...PARTITIONS];
  const names = all.map(({ name }) => identifier(name)).join(', ');
  const empty = `SELECT ${all.map(({ name, type }) => `NULL::${duckdbType(type)} AS ${identifier(name)}`).join(', ')} WHERE false`;
  const relations = [empty, ...groups.filter(({ paths }) => paths.length > 0).map(groupRelation)];
  if (tail && tail.paths.length > 0) relations.push(tailRelation(TIME_COLUMN[table], tail));
  return `CREATE VIEW ${BASE[table]} AS SELECT ${names} FROM (${relations.join(' UNION ALL BY NAME ')})`;
}

function groupRelation({ paths, mixed }: FileGroup): string {
  const options = `hive_partitioning = true, hive_types = {'segment': 'VARCHAR', 'date': 'DATE'}, union_by_name = ${mixed}`;
  return `SELECT * FROM read_parquet([${paths.map(literal).join(', ')}], ${options})`;
}

/** Its files lie in no partition's folder. */
function tailRelation(time: string, { paths, above }: NonNullable<TableFiles['tail']>): string {
  const partition = `segment_id AS segment, CAST(${time} AT TIME ZONE 'UTC' AS DATE) AS date`;
  const files = `read_parquet([${paths.map(literal).join(', ')}], hive_partitioning = false)`;
  return `SELECT *, ${partition} FROM ${files} WHERE ${SEQUENCE_COLUMN.name} > ${above}`;
}
