import { literal } from '../duckdb/sqlText.ts';
import type { ErasedId, ErasureList } from './list.ts';

/** SQL condition: an accepted event, a row of `line`, belongs to an erased person. */
export function eventErased(tenantId: string, { ids }: ErasureList): string {
  const user = `line."userId"`;
  const visitor = hashSql(tenantId, `line."anonymousId"`);
  return `coalesce(${isOneOf(hashSql(tenantId, user), ids, 'user')}, false) OR coalesce(${isOneOf(visitor, ids, 'anonymous')}, false)
    OR (${user} IS NULL AND coalesce(${isOneOf(visitor, ids, 'linked')}, false))`;
}

/** SQL list: every quoted text and every word of a rejected event, whose form is unknown, and its decoded ids. */
const WORDS = String.raw`list_concat(list_concat(regexp_extract_all(line.raw, '"((?:[^"\\]|\\.)*)"', 1), regexp_extract_all(line.raw, '[^\s",:{}\[\]]+')),
  CASE WHEN json_valid(line.raw) THEN [json_extract_string(line.raw, '$.userId'), json_extract_string(line.raw, '$.anonymousId')] ELSE [] END)`;

/** SQL condition: a rejected event, a row of `line`, names an erased person. */
export function rejectedErased(tenantId: string, { ids }: Pick<ErasureList, 'ids'>): string {
  const hashes = ids.map(({ hash }) => literal(hash)).join(', ');
  return `list_has_any(list_transform(${WORDS}, lambda word: ${hashSql(tenantId, 'word')}), [${hashes}])`;
}

/**
 * SQL query: the distinct words of a tenant's rejected events, rows of `line` and `batch`.
 *
 * A flush hashes each of them once. Events of one form share most words, and the list is compared once for all.
 */
export function selectWords(tenantId: string): string {
  return `SELECT DISTINCT unnest(${WORDS}) AS word FROM line JOIN batch ON line.batch_number = batch.batch_number
    WHERE batch.tenant_id = ${literal(tenantId)}`;
}

/** SQL query: the words that are erased ids, of `selectWords`. */
export function selectErasedWords(tenantId: string, { ids }: Pick<ErasureList, 'ids'>): string {
  const hashes = ids.map(({ hash }) => `(${literal(hash)})`).join(', ');
  return `SELECT word FROM (${selectWords(tenantId)}) WHERE ${hashSql(tenantId, 'word')} IN (SELECT * FROM (VALUES ${hashes}))`;
}

/** SQL condition: a rejected event, a row of `line`, has one of these words. */
export function hasWord(words: readonly string[]): string {
  return `list_has_any(${WORDS}, [${words.map(literal).join(', ')}])`;
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
