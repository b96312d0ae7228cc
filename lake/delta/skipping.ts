import type { ColumnType } from '../../schemas/columnType.ts';
import type { TableColumn } from './schema.ts';

/**
 * Table property that names the columns with bounds in the log.
 * Without it deltalake's PyArrow dataset takes missing bounds for bounds, and other writers log the bounds of every column.
 */
export const SKIPPING_PROPERTY = 'delta.dataSkippingStatsColumns';

/** Whether values of a type have bounds. Spark knows none for booleans, and refuses to name them in the property. */
export function hasBounds(type: ColumnType): boolean {
  return typeof type === 'string' && type !== 'boolean';
}

/**
 * Properties of a table whose columns with bounds are named.
 * A newer version may have named columns that are unknown here: they stay.
 * @param columns all columns of this version
 */
export function withSkippingColumns(
  configuration: Record<string, string>,
  columns: readonly TableColumn[],
): Record<string, string> {
  const known = new Set(columns.map(({ name }) => quoted(name)));
  const named = splitNames(configuration[SKIPPING_PROPERTY] ?? '');
  const foreign = named.filter((path) => !known.has(splitPath(path)[0]!));
  const wanted = [...columns.flatMap(boundedPaths), ...foreign].join(',');
  const { [SKIPPING_PROPERTY]: before, ...others } = configuration;
  if (wanted === (before ?? '')) return configuration;
  return wanted === '' ? others : { ...others, [SKIPPING_PROPERTY]: wanted };
}

/** Paths of a column's values that have bounds, such as `total` or `address.zip`. */
export function boundedPaths({ name, type, bounds }: TableColumn): string[] {
  if (bounds === false) return [];
  if (typeof type === 'object') {
    if ('list' in type) return [];
    return type.struct.flatMap((field) => boundedPaths(field).map((path) => `${quoted(name)}.${path}`));
  }
  return hasBounds(type) ? [quoted(name)] : [];
}

function quoted(name: string): string {
  return /^\w+$/.test(name) ? name : `\`${name.replaceAll('`', '``')}\``;
}

function splitNames(text: string): string[] {
  return (text.match(/(?:`(?:[^`]|``)*`|[^,`])+/g) ?? []).map((name) => name.trim()).filter((name) => name !== '');
}

function splitPath(path: string): string[] {
  return path.match(/`(?:[^`]|``)*`|[^.`]+/g) ?? [path];
}
