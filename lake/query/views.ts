import { eventColumns, QUARANTINE_COLUMNS, type Column } from '../../schemas/columns.ts';
import { duckdbType, type StructField } from '../../schemas/columnType.ts';
import type { Registry } from '../../schemas/registry.ts';
import type { TableName } from '../tables.ts';

/** Local files that were written with the same columns, and so can be read as one relation. */
export interface FileGroup {
  /** Absolute paths, ending in `segment=<s>/date=<d>/<name>.parquet`. */
  paths: readonly string[];
  /** Whether the columns are unknown and may differ from file to file, so that every file must be opened to learn them. */
  mixed: boolean;
}

/** Views on the events table, one per event type: the columns that its schema has. */
const TYPE_VIEWS: Record<string, string> = {
  searches: 'Search',
  product_clicks: 'ProductClicked',
  cart_adds: 'ProductAddedToCart',
  orders: 'OrderCreated',
};

const PARTITIONS: readonly StructField[] = [
  { name: 'segment', type: 'string' },
  { name: 'date', type: 'date' },
];

/** The table each view reads. */
export const VIEW_TABLES: Record<string, TableName> = {
  events: 'events',
  ...Object.fromEntries(Object.keys(TYPE_VIEWS).map((view) => [view, 'events' as const])),
  order_lines: 'events',
  quarantine: 'quarantine',
};

/**
 * The statements that create a tenant's views over explicit lists of files. Every column exists whatever the files hold:
 * those written before a column did read as NULL, and an empty table has no rows.
 */
export function viewStatements(files: Record<TableName, readonly FileGroup[]>, registry: Registry): string[] {
  const events = eventColumns(registry);
  const types = Object.entries(TYPE_VIEWS).map(([view, type]) => typeView(view, type, registry));
  return [
    tableView('events', events, files.events),
    tableView('quarantine', QUARANTINE_COLUMNS, files.quarantine),
    ...types,
    orderLinesView(events),
  ];
}

/** `'it''s'` */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function tableView(view: string, columns: readonly StructField[], groups: readonly FileGroup[]): string {
  const all = [...columns, ...PARTITIONS];
  const empty = `SELECT ${all.map(({ name, type }) => `NULL::${duckdbType(type)} AS ${quoted(name)}`).join(', ')} WHERE false`;
  const relations = [empty, ...groups.filter(({ paths }) => paths.length > 0).map(groupRelation)];
  return `CREATE VIEW ${view} AS SELECT ${names(all)} FROM (${relations.join(' UNION ALL BY NAME ')})`;
}

function groupRelation({ paths, mixed }: FileGroup): string {
  const options = `hive_partitioning = true, hive_types = {'segment': VARCHAR, 'date': DATE}, union_by_name = ${mixed}`;
  return `SELECT * FROM read_parquet([${paths.map(literal).join(', ')}], ${options})`;
}

function typeView(view: string, type: string, registry: Registry): string {
  const columns = eventColumns({ all: registry.all.filter((schema) => schema.type === type), latest: registry.latest });
  const own = columns.filter(({ name }) => name !== 'type' && name !== 'lines');
  return `CREATE VIEW ${view} AS SELECT ${names([...own, ...PARTITIONS])} FROM events WHERE type = ${literal(type)}`;
}

/** One row per line of each order, numbered from 1. */
function orderLinesView(events: readonly Column[]): string {
  const lines = events.find(({ name }) => name === 'lines')!.type;
  const fields =
    typeof lines === 'object' && 'list' in lines && typeof lines.list === 'object' && 'struct' in lines.list
      ? lines.list.struct
      : [];
  const order = [
    'tenant_id',
    'segment_id',
    'event_time',
    'event_id',
    'order_id',
    'currency',
    'session_id',
    'anonymous_id',
    'user_id',
  ];
  const outer = [...order, 'line_number'].map(quoted).join(', ');
  const line = fields.map(({ name }) => `line.${quoted(name)} AS ${quoted(name)}`).join(', ');
  return (
    `CREATE VIEW order_lines AS SELECT ${outer}, ${line}, ${names(PARTITIONS)} FROM (` +
    `SELECT ${order.map(quoted).join(', ')}, ${names(PARTITIONS)}, ` +
    `unnest(range(1, len(lines) + 1))::INTEGER AS line_number, unnest(lines) AS line FROM events WHERE type = 'OrderCreated')`
  );
}

function names(columns: readonly StructField[]): string {
  return columns.map(({ name }) => quoted(name)).join(', ');
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
