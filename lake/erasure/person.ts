import type { SqlRow } from '../duckdb/sqlEngine.ts';
import { identifier, literal } from '../duckdb/sqlText.ts';
import { hashOf, type ErasedId } from './list.ts';
import { isLinked, rejectedErased } from './suppress.ts';

/** The ids of one person within a tenant. */
export interface Person {
  users: readonly string[];
  anonymous: readonly string[];
  /** Anonymous ids that led to the person; their rows count if they name no user (see ErasedId). */
  linked: readonly string[];
  /** Segments whose ids these are; absent: all of the tenant. */
  segments?: readonly string[] | undefined;
}

/**
 * A person with the linked ids that a killed erasure has listed.
 *
 * The events that led to those ids may be gone.
 */
export interface ListedPerson extends Person {
  tenantId: string;
  linkedHashes: readonly ErasedId[];
}

/** The rows of a table: events, quarantined events, rows of a mart, or any other. */
export type RowKind = 'events' | 'quarantine' | 'mart' | 'other';

/** Shortest id that matches as a word within a text; a shorter id must be the whole value. */
const TELLING_LENGTH = 8;
const WORD = '0-9A-Za-z_-';
/** Columns that name a row's segment, of which marts have `scope` where they have ids. */
const SEGMENT_COLUMNS = ['segment_id', 'scope', 'segment'];

/** The person as entries of the list of erasures. */
export function erasedIds(tenantId: string, { users, anonymous, linked, segments }: Person): ErasedId[] {
  const of = (kind: ErasedId['kind'], ids: readonly string[]): ErasedId[] =>
    (segments ?? [undefined]).flatMap((segment) =>
      ids.map((id) => ({ kind, hash: hashOf(tenantId, id, segment), ...(segment === undefined ? {} : { segment }) })),
    );
  return [...of('user', users), ...of('anonymous', anonymous), ...of('linked', linked)];
}

/**
 * SQL condition: a row of `line` is the person's. Never null.
 *
 * Events, and marts with the same columns, match by their id columns: a product may have the id of a customer. Rejected
 * events have no known form, so the id matches anywhere in their text. Other tables match by any text column that holds
 * the id. Rows without a segment count in any segment.
 * @param columns rows of DESCRIBE
 */
export function isOfPerson(kind: RowKind, columns: readonly SqlRow[], person: ListedPerson): string {
  const { users, anonymous, linked, segments, tenantId, linkedHashes } = person;
  const list = { ids: linkedHashes };
  const conditions: string[] = [];
  const names = new Set(columns.map(({ column_name: name }) => String(name)));
  const segmentColumn = SEGMENT_COLUMNS.find((name) => names.has(name));
  if (kind === 'events' || kind === 'mart') {
    if (names.has('user_id')) conditions.push(isOneOf('user_id', users));
    if (names.has('anonymous_id')) conditions.push(isOneOf('anonymous_id', anonymous));
    if (names.has('user_id') && names.has('anonymous_id')) {
      const isTheirs = `${isOneOf('anonymous_id', linked)} OR ${isLinked(tenantId, list, { column: 'anonymous_id', segmentColumn })}`;
      conditions.push(`(user_id IS NULL AND (${isTheirs}))`);
    }
  } else if (kind === 'quarantine') {
    const text = `concat_ws(chr(10), raw, message, path)`;
    for (const id of [...users, ...anonymous, ...linked]) conditions.push(mentions(text, id), encoded('raw', id));
    // Rows that a flush would hold back must go too, such as an id written with escapes.
    conditions.push(rejectedErased(tenantId, { ids: [...erasedIds(tenantId, person), ...linkedHashes] }));
  } else {
    for (const { column_name: name, column_type: type } of columns) {
      const ids = [...users, ...anonymous, ...linked];
      if (type === 'VARCHAR')
        conditions.push(
          isOneOf(String(name), ids),
          isLinked(tenantId, list, { column: identifier(String(name)), segmentColumn }),
        );
      if (type === 'VARCHAR[]')
        conditions.push(`list_has_any(${identifier(String(name))}, [${ids.map(literal).join(', ')}])`);
    }
  }
  const found = conditions.map((condition) => `coalesce(${condition}, false)`).join(' OR ') || 'false';
  if (segments === undefined || segmentColumn === undefined) return `(${found})`;
  return `(coalesce(${isOneOf(segmentColumn, segments)}, false) AND (${found}))`;
}

function isOneOf(column: string, ids: readonly string[]): string {
  return ids.length === 0 ? 'false' : `${identifier(column)} IN (${ids.map(literal).join(', ')})`;
}

/** SQL condition: a text holds an id, plain or escaped as in JSON. */
function mentions(text: string, id: string): string {
  const forms = [...new Set([id, JSON.stringify(id).slice(1, -1)])];
  return `(${forms.map((form) => mentionsForm(text, form)).join(' OR ')})`;
}

function mentionsForm(text: string, id: string): string {
  const escaped = id.replace(/[^0-9A-Za-z_]/gu, (character) =>
    character.charCodeAt(0) < 128 ? `\\${character}` : character,
  );
  const pattern =
    id.length >= TELLING_LENGTH
      ? `(^|[^${WORD}])${escaped}($|[^${WORD}])`
      : String.raw`"${escaped}"|"(userId|anonymousId)"\s*:\s*${escaped}($|[^${WORD}.])`;
  // The plain search is fast, and excludes most rows.
  return `(contains(${text}, ${literal(id)}) AND regexp_matches(${text}, ${literal(pattern)}))`;
}

/** SQL condition: a text that is not UTF-8, kept in base64 (lake/window/rejected.ts), holds an id. */
function encoded(text: string, id: string): string {
  const bytes = `hex(TRY(from_base64(substr(${text}, 8))))`;
  const forms = [Buffer.from(id, 'utf8'), Buffer.from(id, 'utf16le')].map((form) => form.toString('hex').toUpperCase());
  return `(starts_with(${text}, 'base64:') AND (${forms.map((form) => `contains(${bytes}, ${literal(form)})`).join(' OR ')}))`;
}
