import { duckdbType } from '../../schemas/columnType.ts';
import { identifier, literal } from '../../lake/duckdb/sqlText.ts';
import { CATALOGUE_COLUMNS } from '../../lake/layout/catalogue.ts';

const TIMES = ['valid_from', 'imported_at'];
/** Columns that an import gives. */
const OWN = CATALOGUE_COLUMNS.filter(({ name }) => !TIMES.includes(name));
/** Columns whose change makes a version. */
const COMPARED = OWN.filter(({ name }) => name !== 'product_id').map(({ name }) => name);

/** Statement that makes `known`: all versions in these files. */
export function knownSql(paths: readonly string[]): string {
  const columns = CATALOGUE_COLUMNS.map(({ name, type }) => `${identifier(name)} ${duckdbType(type)}`);
  const names = CATALOGUE_COLUMNS.map(({ name }) => identifier(name)).join(', ');
  const create = `CREATE TEMP TABLE known (${columns.join(', ')})`;
  if (paths.length === 0) return create;
  const files = `read_parquet([${paths.map(literal).join(', ')}], hive_partitioning = false, union_by_name = true)`;
  return `CREATE TEMP TABLE known AS SELECT ${names} FROM ${files}`;
}

/** Statement that makes `staged`: the good lines of an import. */
export function stagedSql(file: string): string {
  const types = OWN.map(({ name, type }) => `${literal(name)}: ${literal(duckdbType(type))}`);
  const columns = `{${[...types, "'given': 'VARCHAR[]'", "'kept': 'BOOLEAN'"].join(', ')}}`;
  return `CREATE TEMP TABLE staged AS
    SELECT * FROM read_json(${literal(file)}, format = 'newline_delimited', columns = ${columns})`;
}

/**
 * Statement that makes `changed`: the new versions, each with its `fate`.
 *
 * A line of a part keeps the fields that it does not give.
 * @param removes whether products that it does not list are removed
 * @param at time from which the versions are valid, ISO 8601; they are compared with what was valid then
 */
export function changedSql({
  at,
  importedAt,
  whole,
  removes,
}: {
  at: string;
  importedAt: string;
  whole: boolean;
  removes: boolean;
}): string {
  const moment = `TIMESTAMPTZ ${literal(at)}`;
  const value = ({ name }: { name: string }): string => {
    if (name === 'product_id') return 'staged.product_id';
    if (name === 'removed') return 'coalesce(staged.removed, false) AS removed';
    if (whole) return `staged.${name}`;
    return `CASE WHEN list_contains(given, ${literal(name)}) THEN staged.${name} ELSE state.${name} END AS ${name}`;
  };
  const row = (table: string): string => `(${COMPARED.map((name) => `${table}.${name}`).join(', ')})`;
  const left = removes
    ? `UNION ALL BY NAME
      SELECT state.* REPLACE (true AS removed) FROM state WHERE product_id NOT IN (SELECT product_id FROM staged)`
    : '';
  return `CREATE TEMP TABLE changed AS
    WITH state AS (
      SELECT ${OWN.map(({ name }) => identifier(name)).join(', ')} FROM known
      WHERE valid_from <= ${moment}
      QUALIFY row_number() OVER (PARTITION BY product_id ORDER BY valid_from DESC, imported_at DESC) = 1
    ),
    live AS (SELECT * FROM state WHERE NOT removed),
    wanted AS (
      SELECT ${OWN.map(value).join(', ')}
      FROM staged LEFT JOIN live AS state USING (product_id)
      WHERE kept IS NULL
      ${left.replaceAll('FROM state', 'FROM live AS state')}
    )
    SELECT wanted.*, ${moment} AS valid_from, TIMESTAMPTZ ${literal(importedAt)} AS imported_at,
      CASE
        WHEN live.product_id IS NULL THEN CASE WHEN wanted.removed THEN 'unchanged' ELSE 'added' END
        WHEN wanted.removed THEN 'removed'
        WHEN ${row('wanted')} IS DISTINCT FROM ${row('live')} THEN 'changed'
        ELSE 'unchanged'
      END AS fate
    FROM wanted LEFT JOIN live USING (product_id)`;
}

/** Rows of a new file: the new versions, and with `merged` all known ones too. */
export function fileSql(merged: boolean): string {
  const names = CATALOGUE_COLUMNS.map(({ name }) => identifier(name)).join(', ');
  const known = merged ? `SELECT ${names} FROM known UNION ALL ` : '';
  return `${known}SELECT ${names} FROM changed WHERE fate <> 'unchanged' ORDER BY product_id, valid_from, imported_at`;
}
