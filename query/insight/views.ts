import { readFileSync } from 'node:fs';
import { eventColumns } from '../../schemas/columns.ts';
import { identifier, literal } from '../../lake/duckdb/sqlText.ts';
import type { Registry } from '../../schemas/registry.ts';
import { BOTS_FILE } from './generateBots.ts';
import { parseSqlFile, readSqlFile, type SqlFile } from './sqlFile.ts';

/** A view: `CREATE VIEW <name> AS <sql>`. */
export interface InsightView {
  name: string;
  sql: string;
  /** Meaning of a row, and its rules. */
  description: string;
}

/** A scalar macro of views and reports. `sql` is the CREATE MACRO statement. */
export interface Macro {
  name: string;
  sql: string;
  description: string;
}

/** Views in order of creation: each reads only earlier ones, `events_all`, `quarantine_all` and `catalogue_all`. */
const VIEW_NAMES = [
  'events_with_bots',
  'events',
  'quarantine',
  'searches',
  'product_clicks',
  'product_views',
  'cart_adds',
  'cart_removals',
  'checkouts',
  'all_orders',
  'orders',
  'refunds',
  'refund_lines',
  'line_refunds',
  'order_lines',
  'identity',
  'sessionless',
  'session_visitors',
  'activity',
  'buyers',
  'sessions',
  'distinct_searches',
  'attribution',
  'search_outcomes',
  'click_outcomes',
  'shown_pages',
  'impressions',
  'shown_products',
  'seen_products',
  'exposures',
  'touches',
  'interactions',
  'tracked',
  'catalogue_history',
  'catalogue',
  'product_moves',
] as const;

/** What the views need to know of a tenant. */
export interface TenantFacts {
  /** Whether the tenant's segments share the ids of orders, searches, visits and visitors. */
  sharedIds?: boolean;
}

/** The macros, which must exist before the views. */
export function insightMacros({ sharedIds = false }: TenantFacts = {}): Macro[] {
  const scope: Macro = {
    name: 'id_scope',
    sql: `CREATE MACRO id_scope(segment) AS ${sharedIds ? "'*'" : 'segment'}`,
    description: "What a segment's ids are unique in: the segment, or * if the tenant's segments share their ids.",
  };
  const files = [BOTS_FILE, new URL('./macros.sql', import.meta.url), new URL('./statistics.sql', import.meta.url)]
    .flatMap((file) => readFileSync(file, 'utf8').split(/^(?=-- [a-z_]+: )/m))
    .filter((text) => text.trim() !== '')
    .map((text) => {
      const { name, summary, details, sql } = parseSqlFile(text, /^-- ([a-z_]+):/.exec(text)?.[1] ?? '');
      return { name, sql, description: [summary, ...details].join('\n').trim() };
    });
  return [...files, scope];
}

/**
 * The views of one tenant, in order of creation.
 *
 * They read two relations: `events_all` (columns of schemas/columns.ts, `segment` and `date`) and `quarantine_all`.
 */
export function insightViews(registry: Registry): InsightView[] {
  return VIEW_NAMES.map((name) => {
    const file = readSqlFile(new URL(`./views/${name}.sql`, import.meta.url), name);
    return { name, sql: expandSql(file.sql, registry), description: [file.summary, ...file.details].join('\n').trim() };
  });
}

/**
 * The views that a statement reads, in order of creation.
 *
 * Views that it reads through others are included. A name counts if it follows FROM or JOIN. So the result may include
 * a view that a local name hides, but it lacks none.
 */
export function viewsReadBy(sql: string, views: readonly InsightView[]): InsightView[] {
  const wanted = new Set<string>();
  const follow = (text: string): void => {
    for (const [, name] of text.matchAll(/\b(?:from|join)\s+"?([a-z_]+)/gi)) {
      const view = views.find((one) => one.name === name?.toLowerCase());
      if (!view || wanted.has(view.name)) continue;
      wanted.add(view.name);
      follow(view.sql);
    }
  };
  follow(sql);
  return views.filter(({ name }) => wanted.has(name));
}

/**
 * Expands the placeholders of a SQL file.
 *
 * `{{columns <type>}}` becomes the columns of an event type, so a new field of its schema appears in its view. `{{source
 * of line or other}}` becomes the struct `line`, with the source of the struct `other` if it states none itself.
 * `struct_update` would do that too, but DuckDB 2 rejects its named argument in a view that DuckDB 1 has stored.
 * `{{<name>}}` becomes the SQL of fragments/<name>.sql.
 */
export function expandSql(sql: string, registry: Registry): string {
  return sql
    .replaceAll(/\{\{columns (\w+)\}\}/g, (_, type: string) => columnsOf(type, registry))
    .replaceAll('{{source of line or other}}', () => sourcedLine(registry))
    .replaceAll(/\{\{([a-z_]+)\}\}/g, (_, name: string) => readFragment(name).sql);
}

/** SQL that several files share. */
export function readFragment(name: string): SqlFile {
  return readSqlFile(new URL(`./fragments/${name}.sql`, import.meta.url), name);
}

/** All statements, to run in order over `events_all` and `quarantine_all`. */
export function insightStatements(registry: Registry, facts: TenantFacts = {}): string[] {
  return [
    ...insightMacros(facts).map(({ sql }) => sql),
    ...insightViews(registry).map(({ name, sql }) => `CREATE VIEW ${name} AS ${sql}`),
  ];
}

/** Fields of an order line that name what led to it. */
const SOURCES = ['search_id', 'recommendation_id', 'list_id'];

function sourcedLine(registry: Registry): string {
  const type = eventColumns(registry).find(({ name }) => name === 'lines')?.type;
  const item = typeof type === 'object' && 'list' in type ? type.list : undefined;
  if (typeof item !== 'object' || !('struct' in item)) throw new Error('the column lines is no list of structs');
  const isSourced = `coalesce(${SOURCES.map((name) => `line.${name}`).join(', ')}) IS NOT NULL`;
  const valueOf = (name: string): string =>
    [...SOURCES, 'inferred'].includes(name)
      ? `CASE WHEN ${isSourced} THEN line.${name} ELSE other.${name} END`
      : `line.${name}`;
  const parts = item.struct.map(({ name }) => `${literal(name)}: ${valueOf(name)}`);
  return `{${parts.join(', ')}}`;
}

function columnsOf(type: string, registry: Registry): string {
  const own = { all: registry.all.filter((event) => event.type === type), latest: registry.latest };
  if (own.all.length === 0) throw new Error(`there is no event type ${type}`);
  return eventColumns(own)
    .filter(({ name }) => name !== 'type')
    .map(({ name }) => identifier(name))
    .join(', ');
}
