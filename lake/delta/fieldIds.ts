import type { ColumnType, StructField } from '../../schemas/columnType.ts';
import { FIELD_IDS } from '../../schemas/generated/fieldIds.ts';
import type { SqlSession } from '../duckdb/sqlEngine.ts';
import { identifier, literal } from '../duckdb/sqlText.ts';

/** A column or field with the fields below it; that of a list is `element`. */
interface Field {
  name: string;
  below: Field[];
}

/** Option of DuckDB's COPY that gives columns their Parquet field ids, with a comma before it; empty without ids. */
export function fieldIdsOption(columns: readonly StructField[]): string {
  return option(columns.map(fieldOf));
}

/** The same for a copy of all columns of a file. Columns of a newer version have no id here. */
export async function fieldIdsOfFile(session: SqlSession, file: string): Promise<string> {
  const rows = await session.run(`SELECT name, num_children FROM parquet_schema(${literal(file)})`);
  let at = 0;
  const next = (): Field => {
    const { name, num_children: children } = rows[at++]!;
    return { name: String(name), below: Array.from({ length: Number(children ?? 0) }, next) };
  };
  return option(next().below.map(withoutListGroups));
}

function option(fields: readonly Field[]): string {
  const ids = entries(fields, '');
  return ids.length === 0 ? '' : `, FIELD_IDS {${ids.join(', ')}}`;
}

function entries(fields: readonly Field[], above: string): string[] {
  return fields.flatMap(({ name, below }) => {
    const id = FIELD_IDS[above + name];
    const nested = entries(below, `${above}${name}.`);
    if (nested.length === 0) return id === undefined ? [] : [`${identifier(name)}: ${id}`];
    const own = id === undefined ? [] : [`__duckdb_field_id: ${id}`];
    return [`${identifier(name)}: {${[...own, ...nested].join(', ')}}`];
  });
}

function fieldOf({ name, type }: StructField): Field {
  return { name, below: fieldsBelow(type) };
}

function fieldsBelow(type: ColumnType): Field[] {
  if (typeof type === 'string') return [];
  return 'list' in type ? [fieldOf({ name: 'element', type: type.list })] : type.struct.map(fieldOf);
}

/** A Parquet list has a repeated group, which DuckDB does not count (Parquet, "Nested Types"). */
function withoutListGroups({ name, below }: Field): Field {
  const [group] = below;
  const isList = below.length === 1 && group?.name === 'list' && group.below[0]?.name === 'element';
  return { name, below: (isList ? group.below : below).map(withoutListGroups) };
}
