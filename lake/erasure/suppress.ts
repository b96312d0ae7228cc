import { literal } from '../duckdb/sqlText.ts';
import type { ErasedId, ErasureList } from './list.ts';

/** SQL condition: an accepted event, a row of `line`, belongs to an erased person. */
export function eventErased(tenantId: string, { ids }: ErasureList): string {
  const user = `line."userId"`;
  const visitor = hashSql(tenantId, `line."anonymousId"`);
  return `coalesce(${isOneOf(hashSql(tenantId, user), ids, 'user')}, false) OR coalesce(${isOneOf(visitor, ids, 'anonymous')}, false)
    OR (${user} IS NULL AND coalesce(${isOneOf(visitor, ids, 'linked')}, false))`;
}

/**
 * SQL condition: a rejected event, a row of `line`, names an erased person.
 *
 * The form of a rejected event is unknown, so every quoted text and every word is compared.
 */
export function rejectedErased(tenantId: string, { ids }: Pick<ErasureList, 'ids'>): string {
  const hashes = ids.map(({ hash }) => literal(hash)).join(', ');
  const words = String.raw`list_concat(regexp_extract_all(line.raw, '"((?:[^"\\]|\\.)*)"', 1), regexp_extract_all(line.raw, '[^\s",:{}\[\]]+'))`;
  const named = `CASE WHEN json_valid(line.raw) THEN [json_extract_string(line.raw, '$.userId'), json_extract_string(line.raw, '$.anonymousId')] ELSE [] END`;
  return `list_has_any(list_transform(list_concat(${words}, ${named}), lambda word: ${hashSql(tenantId, 'word')}), [${hashes}])`;
}

/** SQL condition: a column holds an anonymous id that led to an erased person. */
export function isLinked(tenantId: string, { ids }: Pick<ErasureList, 'ids'>, column: string): string {
  return isOneOf(hashSql(tenantId, column), ids, 'linked');
}

function isOneOf(hash: string, ids: readonly ErasedId[], kind: ErasedId['kind']): string {
  const hashes = ids.filter((id) => id.kind === kind).map((id) => literal(id.hash));
  return hashes.length === 0 ? 'false' : `${hash} IN (${hashes.join(', ')})`;
}

/** The hash of an id in SQL, equal to hashOf of list.ts. */
function hashSql(tenantId: string, id: string): string {
  return `sha256(${literal(`${tenantId}/`)} || ${id})`;
}
