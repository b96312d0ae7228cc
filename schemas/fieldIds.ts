import type { ColumnType, StructField } from './columnType.ts';

/**
 * Path of every value of a column: `lines`, `lines.element`, `lines.element.quantity`.
 * Elements of a list have a name of their own, as in Parquet.
 */
export function fieldPaths({ name, type }: StructField): string[] {
  return [name, ...pathsBelow(type).map((path) => `${name}.${path}`)];
}

function pathsBelow(type: ColumnType): string[] {
  if (typeof type === 'string') return [];
  if ('list' in type) return fieldPaths({ name: 'element', type: type.list });
  return type.struct.flatMap(fieldPaths);
}

/** Add ids for new paths after the highest. An id is never changed or given again, as Apache Iceberg requires. */
export function grownFieldIds(ids: Readonly<Record<string, number>>, paths: readonly string[]): Record<string, number> {
  const grown = { ...ids };
  let last = Math.max(0, ...Object.values(ids));
  for (const path of paths) grown[path] ??= ++last;
  return grown;
}
