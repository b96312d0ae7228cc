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
  /** What a row is, and the rules by which it came about. */
  description: string;
}

/** A scalar macro that views and reports use; `sql` is the whole CREATE MACRO statement. */
export interface Macro {
  name: string;
  sql: string;
  description: string;
}

/** In this order each view reads only those before it, `events_all` and `quarantine_all`. */
const VIEW_NAMES = [
  'events_with_bots',
  'events',
  'quarantine',
  'searches',
  'product_clicks',
  'cart_adds',
  'orders',
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
  'touches',
  'interactions',
  'tracked',
] as const;

/** The macros, to be created before the views. */
export function insightMacros(): Macro[] {
  return [BOTS_FILE, new URL('./macros.sql', import.meta.url)]
    .flatMap((file) => readFileSync(file, 'utf8').split(/^(?=-- [a-z_]+: )/m))
    .filter((text) => text.trim() !== '')
    .map((text) => {
      const { name, summary, details, sql } = parseSqlFile(text, /^-- ([a-z_]+):/.exec(text)?.[1] ?? '');
      return { name, sql, description: [summary, ...details].join('\n').trim() };
    });
}

/**
 * The views of one tenant, in the order to create them. They read two relations: `events_all` (columns of
 * schemas/columns.ts, `segment` and `date`) and `quarantine_all`.
 */
export function insightViews(registry: Registry): InsightView[] {
  return VIEW_NAMES.map((name) => {
    const file = readSqlFile(new URL(`./views/${name}.sql`, import.meta.url), name);
    return { name, sql: expandSql(file.sql, registry), description: [file.summary, ...file.details].join('\n').trim() };
  });
}

/**
 * The views that SQL reads, those they read in turn included, in the order to create them. A name counts when it stands
 * after FROM or JOIN, so a view may be returned that a local name hides; it never lacks one.
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
 * Replaces `{{columns <type>}}` by the columns that an event type has, so that a field added to its schema shows in its view
 * without further ado; `{{item of lines with <field>}}…{{end}}` by the struct `line` with another value in one field (what
 * struct_update does, whose named argument DuckDB 2 does not understand in a view that DuckDB 1 has stored); and `{{<name>}}`
 * by the SQL of fragments/<name>.sql.
 */
export function expandSql(sql: string, registry: Registry): string {
  return sql
    .replaceAll(/\{\{columns (\w+)\}\}/g, (_, type: string) => columnsOf(type, registry))
    .replaceAll(/\{\{item of lines with (\w+)\}\}([^]*?)\{\{end\}\}/g, (_, field: string, value: string) =>
      lineWith(field, value, registry),
    )
    .replaceAll(/\{\{([a-z_]+)\}\}/g, (_, name: string) => readFragment(name).sql);
}

/** A piece of SQL that several files share. */
export function readFragment(name: string): SqlFile {
  return readSqlFile(new URL(`./fragments/${name}.sql`, import.meta.url), name);
}

/** Everything as statements to run one after the other over `events_all` and `quarantine_all`. */
export function insightStatements(registry: Registry): string[] {
  return [
    ...insightMacros().map(({ sql }) => sql),
    ...insightViews(registry).map(({ name, sql }) => `CREATE VIEW ${name} AS ${sql}`),
  ];
}

function lineWith(field: string, value: string, registry: Registry): string {
  const type = eventColumns(registry).find(({ name }) => name === 'lines')?.type;
  const item = typeof type === 'object' && 'list' in type ? type.list : undefined;
  if (typeof item !== 'object' || !('struct' in item)) throw new Error('the column lines is no list of structs');
  const parts = item.struct.map(({ name }) => `${literal(name)}: ${name === field ? value : `line.${name}`}`);
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
