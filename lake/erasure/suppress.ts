import { literal } from '../duckdb/sqlText.ts';
import { hashedPrefix, type ErasedId, type ErasureList } from './list.ts';

/** SQL condition: an accepted event, a row of `line` and `batch`, belongs to an erased person. */
export function eventErased(tenantId: string, { ids }: ErasureList): string {
  const user = `line."userId"`;
  return inSegments(ids, 'batch.segment_id', (own, segment) => {
    const visitor = hashSql(tenantId, `line."anonymousId"`, segment);
    return `coalesce(${isOneOf(hashSql(tenantId, user, segment), own, 'user')}, false) OR coalesce(${isOneOf(visitor, own, 'anonymous')}, false)
      OR (${user} IS NULL AND coalesce(${isOneOf(visitor, own, 'linked')}, false))`;
  });
}

/** SQL list: every quoted text and every word of a rejected event, whose form is unknown, and its decoded ids. */
const WORDS = String.raw`list_concat(list_concat(regexp_extract_all(line.raw, '"((?:[^"\\]|\\.)*)"', 1), regexp_extract_all(line.raw, '[^\s",:{}\[\]]+')),
  CASE WHEN json_valid(line.raw) THEN [json_extract_string(line.raw, '$.userId'), json_extract_string(line.raw, '$.anonymousId')] ELSE [] END)`;

/** SQL condition: a rejected event, a row of `line` with its segment, names an erased person. */
export function rejectedErased(tenantId: string, { ids }: Pick<ErasureList, 'ids'>): string {
  return inSegments(ids, 'line.segment_id', (own, segment) => {
    const hashes = own.map(({ hash }) => literal(hash)).join(', ');
    return `list_has_any(list_transform(${WORDS}, lambda word: ${hashSql(tenantId, 'word', segment)}), [${hashes}])`;
  });
}

/**
 * SQL query: the distinct words of a tenant's rejected events, rows of `line` and `batch`.
 *
 * A flush hashes each of them once. Events of one form share most words, and the list is compared once for all.
 */
export function selectWords(tenantId: string, segment?: string): string {
  const within = segment === undefined ? '' : ` AND batch.segment_id = ${literal(segment)}`;
  return `SELECT DISTINCT unnest(${WORDS}) AS word FROM line JOIN batch ON line.batch_number = batch.batch_number
    WHERE batch.tenant_id = ${literal(tenantId)}${within}`;
}

/** SQL query: the words of `selectWords` that are erased ids; all ids are of the same segment, or of none. */
export function selectErasedWords(tenantId: string, { ids }: Pick<ErasureList, 'ids'>, segment?: string): string {
  const hashes = ids.map(({ hash }) => `(${literal(hash)})`).join(', ');
  return `SELECT word FROM (${selectWords(tenantId, segment)})
    WHERE ${hashSql(tenantId, 'word', segment)} IN (SELECT * FROM (VALUES ${hashes}))`;
}

/** SQL condition: a rejected event, a row of `line`, has one of these words. */
export function hasWord(words: readonly string[]): string {
  return `list_has_any(${WORDS}, [${words.map(literal).join(', ')}])`;
}

/**
 * SQL condition: a column holds an anonymous id that led to an erased person.
 * @param segmentColumn of the row's segment; undefined if the rows have none, so that ids of any segment count
 */
export function isLinked(
  tenantId: string,
  { ids }: Pick<ErasureList, 'ids'>,
  { column, segmentColumn }: { column: string; segmentColumn: string | undefined },
): string {
  return inSegments(ids, segmentColumn, (own, segment) => isOneOf(hashSql(tenantId, column, segment), own, 'linked'));
}

/** SQL condition over ids of several segments: those of all segments, and those of the row's own. */
function inSegments(
  ids: readonly ErasedId[],
  segmentColumn: string | undefined,
  condition: (own: readonly ErasedId[], segment: string | undefined) => string,
): string {
  const conditions = [...Map.groupBy(ids, ({ segment }) => segment)].map(([segment, own]) => {
    const found = condition(own, segment);
    if (segment === undefined || segmentColumn === undefined) return `(${found})`;
    return `(${segmentColumn} = ${literal(segment)} AND (${found}))`;
  });
  return conditions.length === 0 ? 'false' : `(${conditions.join(' OR ')})`;
}

function isOneOf(hash: string, ids: readonly ErasedId[], kind: ErasedId['kind']): string {
  const hashes = ids.filter((id) => id.kind === kind).map((id) => literal(id.hash));
  return hashes.length === 0 ? 'false' : `${hash} IN (${hashes.join(', ')})`;
}

/** The hash of an id in SQL, equal to hashOf of list.ts. */
function hashSql(tenantId: string, id: string, segment: string | undefined): string {
  return `sha256(${literal(hashedPrefix(tenantId, segment))} || ${id})`;
}
