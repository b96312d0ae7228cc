import type { SqlRow } from '../duckdb/sqlEngine.ts';
import { identifier, literal } from '../duckdb/sqlText.ts';
import { hashOf, type ErasedId } from './list.ts';
import { isLinked, rejectedErased } from './suppress.ts';

/** The ids of one person within a tenant. */
export interface Person {
  users: readonly string[];
  anonymous: readonly string[];
  /** Anonymous ids that led to the person: rows under them count where they name no user (see ErasedId). */
  linked: readonly string[];
}

/** A person, and what an erasure that was killed has put on the list: the events that led to those ids may be gone. */
export interface ListedPerson extends Person {
  tenantId: string;
  linkedHashes: readonly ErasedId[];
}

/** What kind of rows a table has: those of events, of the quarantine, of a mart of ours, or any. */
export type RowKind = 'events' | 'quarantine' | 'mart' | 'other';

/** An id of so many characters is taken for the person wherever it stands as a word of its own; a shorter one only as a value. */
const TELLING_LENGTH = 8;
const WORD = '0-9A-Za-z_-';

/** The person as the list of erasures has it. */
export function erasedIds(tenantId: string, { users, anonymous, linked }: Person): ErasedId[] {
  const of = (kind: ErasedId['kind'], ids: readonly string[]): ErasedId[] =>
    ids.map((id) => ({ kind, hash: hashOf(tenantId, id) }));
  return [...of('user', users), ...of('anonymous', anonymous), ...of('linked', linked)];
}

/**
 * SQL: whether a row of `line` is the person's; never null. Of events by their ids, and so of marts, which take the person's from the
 * same columns (a product may have the id of a customer); of refused events, whose form is not known, by the id
 * anywhere in their text; of other tables by any text column that holds the id.
 * @param columns rows of DESCRIBE
 */
export function isOfPerson(kind: RowKind, columns: readonly SqlRow[], person: ListedPerson): string {
  const { users, anonymous, linked, tenantId, linkedHashes } = person;
  const list = { ids: linkedHashes };
  const conditions: string[] = [];
  if (kind === 'events' || kind === 'mart') {
    const names = new Set(columns.map(({ column_name: name }) => name));
    if (names.has('user_id')) conditions.push(isOneOf('user_id', users));
    if (names.has('anonymous_id')) conditions.push(isOneOf('anonymous_id', anonymous));
    if (names.has('user_id') && names.has('anonymous_id')) {
      const isTheirs = `${isOneOf('anonymous_id', linked)} OR ${isLinked(tenantId, list, 'anonymous_id')}`;
      conditions.push(`(user_id IS NULL AND (${isTheirs}))`);
    }
  } else if (kind === 'quarantine') {
    const text = `concat_ws(chr(10), raw, message, path)`;
    for (const id of [...users, ...anonymous, ...linked]) conditions.push(mentions(text, id), encoded('raw', id));
    // What a flush would hold back, such as an id that is written with escapes, must not stay either.
    conditions.push(rejectedErased(tenantId, { ids: [...erasedIds(tenantId, person), ...linkedHashes] }));
  } else {
    for (const { column_name: name, column_type: type } of columns) {
      const ids = [...users, ...anonymous, ...linked];
      if (type === 'VARCHAR')
        conditions.push(isOneOf(String(name), ids), isLinked(tenantId, list, identifier(String(name))));
      if (type === 'VARCHAR[]')
        conditions.push(`list_has_any(${identifier(String(name))}, [${ids.map(literal).join(', ')}])`);
    }
  }
  return `(${conditions.map((condition) => `coalesce(${condition}, false)`).join(' OR ') || 'false'})`;
}

function isOneOf(column: string, ids: readonly string[]): string {
  return ids.length === 0 ? 'false' : `${identifier(column)} IN (${ids.map(literal).join(', ')})`;
}

/** SQL: whether a text holds an id, as it is or as JSON writes it. */
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
  // The plain search is a fast one, and rules most rows out.
  return `(contains(${text}, ${literal(id)}) AND regexp_matches(${text}, ${literal(pattern)}))`;
}

/** SQL: whether a text that is no UTF-8, kept in base64 (lake/window/rejected.ts), holds an id. */
function encoded(text: string, id: string): string {
  const bytes = `hex(TRY(from_base64(substr(${text}, 8))))`;
  const forms = [Buffer.from(id, 'utf8'), Buffer.from(id, 'utf16le')].map((form) => form.toString('hex').toUpperCase());
  return `(starts_with(${text}, 'base64:') AND (${forms.map((form) => `contains(${bytes}, ${literal(form)})`).join(' OR ')}))`;
}
