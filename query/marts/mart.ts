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
 * A table derived from a tenant's events, for services that read files.
 *
 * A daily mart has a partition per UTC day, from the events of that day and the days around it. When events are added
 * to a day or removed from it, all partitions that read the day are built again. A summary has one state for all days,
 * from daily marts and other summaries.
 */
export interface Mart {
  name: string;
  summary: string;
  /** Meaning of a row. */
  row: string;
  columns: MartColumn[];
  /** Days before and after its day that a daily mart reads. */
  around: number;
  /** Whether it reads orders, which are distinguished over ORDER_DAYS. */
  readsOrders: boolean;
  /** Marts that a summary reads; none for a daily mart. */
  reads: string[];
  /** Statement over `events_all` with `$first`, `$last`, `$scan_from` and `$scan_to`, or over marts. */
  sql: string;
  /** Hash of everything that decides the content; a new one rebuilds the mart. */
  definition: string;
}

interface MartColumn extends TableColumn {
  type: Extract<ColumnType, string>;
  description: string;
}

/** Days within which marts recognise a repeated order; later it counts twice. */
export const ORDER_DAYS = 92;

/** Marts in order of refresh: each reads only earlier ones. */
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

/** All marts, in order of refresh. */
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

/** The columns in the files. The path states the date of a daily mart, like any partition column. */
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
    readsOrders: /^all_orders AS /m.test(sql),
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
    // Logs outlive files, and text may name people, so text has no bounds.
    const bounds = type === 'string' ? { bounds: false as const } : {};
    return { name, type: type as MartColumn['type'], description, ...bounds };
  });
}
