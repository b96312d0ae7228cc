import { eventColumns, QUARANTINE_COLUMNS } from '../../schemas/columns.ts';
import { duckdbType, type StructField } from '../../schemas/columnType.ts';
import type { Registry } from '../../schemas/registry.ts';
import {
  insightMacros,
  insightViews,
  viewsReadBy,
  type InsightView,
  type Macro,
  type TenantFacts,
} from '../insight/views.ts';
import { identifier, literal } from '../../lake/duckdb/sqlText.ts';
import { TABLE_NAMES, type TableName } from '../../lake/layout/tables.ts';
import { catalogueRows } from './catalogueFiles.ts';
import { SEQUENCE_COLUMN } from '../tail/tenantTail.ts';
import type { CheckedSql } from '../sandbox/sqlCheck.ts';

/** Local files with the same columns, readable as one relation. */
export interface FileGroup {
  /** Absolute paths that end in `segment=<s>/date=<d>/<name>.parquet`. */
  paths: readonly string[];
  /** Whether the columns are unknown until every file is opened. */
  mixed: boolean;
}

/** Files with the rows of a table. */
export interface TableFiles {
  /** Columns from the table's log; a newer version may have added unknown ones. */
  columns?: readonly StructField[];
  groups: readonly FileGroup[];
  /** Whether the tenant's segments share their ids; on the events table. */
  sharedIds?: boolean;
  /** Files with uncommitted rows; rows count if their `stream_sequence` is above a number. */
  tail?: { paths: readonly string[]; above: number } | undefined;
}

/** The views that one statement reads. */
export interface NeededViews {
  /** Tables that the views read. */
  tables: readonly TableName[];
  /** Names of the views. */
  views: ReadonlySet<string>;
  /** Statements that create the views, in order, over the given files and those of the catalogue. */
  statements(files: Record<TableName, TableFiles>, catalogue?: readonly string[]): string[];
  /** Whether they read the catalogue. */
  readsCatalogue: boolean;
}

export interface ViewCatalog {
  /** The views that a statement reads; all views if it lists relations. */
  requiredViews(sql: CheckedSql): NeededViews;
  /** Tables and macros of a statement with its own views. */
  requiredTables(sql: CheckedSql): NeededViews;
  /** Statements that create the macros of a text for one connection. */
  macros(text: string, facts: TenantFacts): string[];
  /** All rows of the events table in files, as a SELECT with the columns of `events_with_bots`. */
  flaggedEvents(files: TableFiles): string;
}

const PARTITIONS: readonly StructField[] = [
  { name: 'segment', type: 'string' },
  { name: 'date', type: 'date' },
];

/** The relation with all rows of a table, which the views read. */
const BASE: Record<TableName, string> = { events: 'events_all', quarantine: 'quarantine_all' };

/**
 * Creates the catalog of relations that queries see.
 *
 * The views of query/insight read `events_all` and `quarantine_all`. A statement gets only the views it names, and
 * those they read, because each view costs time.
 */
export function createCatalog(registry: Registry): ViewCatalog {
  const views = insightViews(registry);
  const macros = { own: insightMacros(), shared: insightMacros({ sharedIds: true }) };
  const columns = { events: eventColumns(registry), quarantine: QUARANTINE_COLUMNS };
  const assemble = ({ tables: named, functions }: CheckedSql, picked: readonly InsightView[]): NeededViews => {
    const text = picked.map(({ sql }) => sql).join('\n');
    const reads = (word: string): boolean =>
      named.has(word) || functions.has(word) || new RegExp(`\\b${word}\\b`).test(text);
    const tables = TABLE_NAMES.filter((table) => reads(BASE[table]));
    const needed = macrosReadBy(macros.own, reads);
    const readsCatalogue = reads('catalogue_all');
    return {
      tables,
      views: new Set(picked.map(({ name }) => name)),
      readsCatalogue,
      statements: (files, catalogue = []) => [
        ...(readsCatalogue ? [`CREATE VIEW catalogue_all AS ${catalogueRows(catalogue)}`] : []),
        ...tables.map((table) => `CREATE VIEW ${BASE[table]} AS ${tableRows(table, columns[table], files[table])}`),
        ...macros[files.events.sharedIds ? 'shared' : 'own']
          .filter(({ name }) => needed.has(name))
          .map(({ sql }) => sql),
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
    macros: (text, { sharedIds = false }) => {
      const all = macros[sharedIds ? 'shared' : 'own'];
      const needed = macrosReadBy(all, (word) => new RegExp(`\\b${word}\\b`).test(text));
      return all
        .filter(({ name }) => needed.has(name))
        .map(({ sql }) => sql.replace('CREATE MACRO', 'CREATE TEMP MACRO'));
    },
    flaggedEvents: (files) => {
      const { sql } = views.find(({ name }) => name === 'events_with_bots')!;
      return `WITH events_all AS NOT MATERIALIZED (${tableRows('events', columns.events, files)}) ${sql}`;
    },
  };
}

/** Names of the macros that a text reads, also through other macros. */
function macrosReadBy(macros: readonly Macro[], reads: (word: string) => boolean): Set<string> {
  const needed = new Set<string>();
  const add = ({ name, sql }: Macro): void => {
    if (needed.has(name)) return;
    needed.add(name);
    macros.filter((other) => new RegExp(`\\b${other.name}\\b`).test(sql)).forEach(add);
  };
  macros.filter(({ name }) => reads(name)).forEach(add);
  return needed;
}

/** The time column whose UTC date is a row's partition. */
const TIME_COLUMN: Record<TableName, string> = { events: 'event_time', quarantine: 'received_at' };

/** A SELECT of every column; columns that a file lacks are NULL. */
function tableRows(
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
  return `SELECT ${names} FROM (${relations.join(' UNION ALL BY NAME ')})`;
}

function groupRelation({ paths, mixed }: FileGroup): string {
  const options = `hive_partitioning = true, hive_types = {'segment': 'VARCHAR', 'date': 'DATE'}, union_by_name = ${mixed}`;
  return `SELECT * FROM read_parquet([${paths.map(literal).join(', ')}], ${options})`;
}

/** The rows of the live tail, whose files have no partitions. */
function tailRelation(time: string, { paths, above }: NonNullable<TableFiles['tail']>): string {
  const partition = `segment_id AS segment, CAST(${time} AT TIME ZONE 'UTC' AS DATE) AS date`;
  const files = `read_parquet([${paths.map(literal).join(', ')}], hive_partitioning = false)`;
  return `SELECT *, ${partition} FROM ${files} WHERE ${SEQUENCE_COLUMN.name} > ${above}`;
}
