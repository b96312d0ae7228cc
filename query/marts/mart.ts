import { createHash } from 'node:crypto';
import type { ColumnType } from '../../schemas/columnType.ts';
import type { Registry } from '../../schemas/registry.ts';
import { isId } from '../../schemas/subjects.ts';
import type { TableColumn } from '../../lake/delta/schema.ts';
import type { TableSpec } from '../../lake/delta/table.ts';
import { LakeError } from '../../lake/errors.ts';
import { withViews } from '../insight/reports.ts';
import { readFields, readSqlFile } from '../insight/sqlFile.ts';

/**
 * A table derived from a tenant's events, kept beside them as a Delta table of its own for services that read files.
 *
 * Daily marts have a partition for each UTC day, made from the events of that day and the days around it: when events come to
 * a day or leave it, the partitions they can have a part in are made anew. Summaries have one state for all days, made from
 * daily marts and other summaries.
 */
export interface Mart {
  name: string;
  summary: string;
  /** What one row is. */
  row: string;
  columns: MartColumn[];
  /** Of a daily mart: days before and after its day whose events it reads. */
  around: number;
  /** Whether it reads orders, which are told apart over ORDER_DAYS. */
  readsOrders: boolean;
  /** Marts that a summary reads; empty for a daily mart. */
  reads: string[];
  /** A statement over `events_all` with `$first`, `$last`, `$scan_from` and `$scan_to`, or over the marts it reads. */
  sql: string;
  /** Changes whenever the mart's content would: another one makes it anew. */
  definition: string;
}

interface MartColumn extends TableColumn {
  type: Extract<ColumnType, string>;
  description: string;
}

/** An order that was sent again further apart than this counts twice in marts. */
export const ORDER_DAYS = 92;

/** Each mart reads only those before it. */
const NAMES = [
  'events_daily',
  'phrases_daily',
  'products_daily',
  'revenue_daily',
  'interactions_daily',
  'consents_daily',
  'pairs_daily',
  'phrase_products_daily',
  'popularity',
  'identity_map',
  'interactions',
  'product_pairs',
  'phrase_products',
] as const;

/** All marts, in the order to refresh them. */
export function listMarts(registry: Registry): Mart[] {
  return NAMES.map((name) => readMart(name, registry));
}

export function isDaily({ reads }: Mart): boolean {
  return reads.length === 0;
}

/** A tenant's table of a mart. @throws LakeError storage_path_invalid */
export function martSpec(mart: Mart, tenantId: string): TableSpec {
  if (!isId(tenantId))
    throw new LakeError('storage_path_invalid', `tenant id ${JSON.stringify(tenantId)} is not allowed`);
  return {
    root: `marts/tenant=${tenantId}/${mart.name}`,
    columns: storedColumns(mart),
    partitionColumns: isDaily(mart) ? ['date'] : [],
  };
}

/** The tables of all marts of a tenant. @throws LakeError storage_path_invalid */
export function martSpecs(registry: Registry, tenantId: string): TableSpec[] {
  return listMarts(registry).map((mart) => martSpec(mart, tenantId));
}

/** The columns in the files: the date of a daily mart is told by the path, as with every partition column. */
export function storedColumns(mart: Mart): MartColumn[] {
  return isDaily(mart) ? mart.columns.filter(({ name }) => name !== 'date') : mart.columns;
}

function readMart(name: string, registry: Registry): Mart {
  const file = readSqlFile(new URL(`./sql/${name}.sql`, import.meta.url), name);
  const fields = readFields(file.details);
  const reads = fields.get('reads')?.[0]?.split(', ') ?? [];
  const sql = reads.length > 0 ? file.sql : withViews(file.sql, { allHistory: false }, registry);
  const columns = readColumns(fields.get('columns') ?? []);
  const hash = createHash('sha256').update(JSON.stringify([sql, columns.map(({ name: of, type }) => [of, type])]));
  return {
    name,
    summary: file.summary,
    row: fields.get('row')?.[0] ?? '',
    columns,
    around: Number(fields.get('around')?.[0] ?? 0),
    readsOrders: /^orders AS /m.test(sql),
    reads,
    sql,
    definition: hash.digest('hex').slice(0, 16),
  };
}

function readColumns(lines: readonly string[]): MartColumn[] {
  return lines.slice(1).map((line) => {
    const [, name, type, description] = /^ {2}([a-z_0-9]+) (\w+): (.*)$/.exec(line) ?? [];
    if (!name || !type || !description)
      throw new Error(`a mart's column must be "  <name> <type>: <text>", not "${line}"`);
    // The log outlives the files: text may name people.
    const bounds = type === 'string' ? { bounds: false as const } : {};
    return { name, type: type as MartColumn['type'], description, ...bounds };
  });
}
