import { readdirSync } from 'node:fs';
import type { Registry } from '../../schemas/registry.ts';
import { LakeError } from '../../lake/errors.ts';
import { readFields, readSqlFile, type SqlFile } from './sqlFile.ts';
import { expandSql, insightViews, readFragment, viewsReadBy, type InsightView } from './views.ts';

export type ReportParameterType = 'INTEGER' | 'DOUBLE' | 'TEXT';

/** A parameter of one report, besides period and segment. */
export interface ReportParameter {
  name: string;
  type: ReportParameterType;
  /** Value if it is not given; a text has none. */
  default: number | null;
  description: string;
}

/** A report's description, from the comment at the start of its file. */
export interface Report {
  name: string;
  summary: string;
  group: string;
  /** Meaning of a row. */
  row: string;
  /** Meaning of the period. */
  period: string;
  /** Meaning of the segment; undefined: the report takes none. */
  segment: string | undefined;
  /** Whether the report reads all stored events, not only its days. */
  allHistory: boolean;
  columns: { name: string; description: string }[];
  /** Which values are NULL, and which are 0. */
  nulls: string;
  /** Events and fields that the report needs. */
  needs: string;
  source: string;
  parameters: ReportParameter[];
}

/**
 * Days to read before and after the period.
 *
 * A chain from search to order takes up to 7 days, and a visit may cross midnight. Orders are distinguished over all
 * stored events.
 */
export const DAYS_AROUND = 8;

const FOLDER = new URL('./reports/', import.meta.url);

/** Groups of reports, in the order of the documentation. */
const GROUPS = ['search', 'product', 'commercial', 'experiment', 'personalization', 'quality'];

/** All reports, by group and name. */
export function listReports(): Report[] {
  return reportNames()
    .map((name) => describe(readReport(name)))
    .sort((a, b) => GROUPS.indexOf(a.group) - GROUPS.indexOf(b.group) || (a.name < b.name ? -1 : 1));
}

/**
 * Find a report by name.
 * @throws LakeError report_unknown
 */
export function findReport(name: string): Report {
  const names = reportNames();
  if (names.includes(name)) return describe(readReport(name));
  const told = JSON.stringify(name.slice(0, 80));
  throw new LakeError('report_unknown', `There is no report ${told}. Choose one of ${names.join(', ')}.`);
}

function reportNames(): string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.sql'))
    .map((file) => file.replace('.sql', ''));
}

/**
 * One SELECT statement of a report over `events_all` and `quarantine_all`.
 *
 * The period is $from and $to (TIMESTAMPTZ, $to exclusive). $before is as long before $from as $to is after it. From
 * $before to $before_to is as long as the part of the period that has passed. Days are local_day(<moment>, $zone).
 *
 * $scan_from and $scan_to (DATE) are the days to read. $segment is VARCHAR or NULL. The report has parameters of its
 * own. reportRun.ts binds them all. Its views are CTEs that read the days around the period only, so that files of
 * other days are pruned.
 */
export function renderReport(report: Report, registry: Registry): string {
  return withViews(named(readReport(report.name).sql, report), report, registry);
}

/** A statement with its views as CTEs over the days to read. */
export function withViews(sql: string, { allHistory }: { allHistory: boolean }, registry: Registry): string {
  const body = expandSql(sql, registry);
  const ctes = viewsReadBy(body, insightViews(registry)).map((view) => asCte(view, allHistory));
  return joinCtes(ctes, body);
}

/** A statement with more CTEs before its own. */
export function joinCtes(ctes: readonly string[], body: string): string {
  if (ctes.length === 0) return body;
  const rest = /^with\s/i.test(body) ? `,\n${body.replace(/^with\s+/i, '')}` : `\n${body}`;
  return `WITH ${ctes.join(',\n')}${rest}`;
}

/** The statement of a report over views, without the views. */
export function reportBody({ name }: Report, registry: Registry): string {
  return expandSql(named(readReport(name).sql, findReport(name)), registry);
}

/** Columns with the id of a product, and those with its name that stand behind them. */
const NAMED: Readonly<Record<string, string>> = {
  product_id: 'product_name',
  product_a: 'product_a_name',
  product_b: 'product_b_name',
};

/**
 * A report's statement with the names of its products.
 *
 * The rows keep their order, which a join alone would not promise.
 */
function named(sql: string, { columns }: Report): string {
  const joins = columns.filter(({ name }) => name in NAMED).map(({ name }) => name);
  if (joins.length === 0) return sql;
  const chosen = columns.map(({ name }) => {
    const id = joins.find((one) => NAMED[one] === name);
    return id === undefined ? `rows.${name}` : `${id}_known.name AS ${name}`;
  });
  return `WITH product_names AS (
  SELECT product_id, arg_max(name, valid_from) AS name FROM catalogue_history
  WHERE $segment IS NULL OR segment = $segment OR scope = '*'
  GROUP BY product_id
)
SELECT ${chosen.join(', ')}
FROM (SELECT *, row_number() OVER () AS place FROM (
${sql}
)) AS rows
${joins.map((id) => `LEFT JOIN product_names AS ${id}_known ON ${id}_known.product_id = rows.${id}`).join('\n')}
ORDER BY rows.place`;
}

/** Views limited to the days to read; all other views read these. */
const LIMITED = new Set(['events', 'orders']);

/**
 * Small views that are read several times, and so are materialized.
 *
 * The others are inlined. DuckDB 1.5 would otherwise keep every row and column of a view that is read twice.
 */
const KEPT = new Set(['identity', 'sessionless', 'session_visitors', 'buyers', 'tracked', 'catalogue_history']);

/** A view as a CTE over the days to read. */
export function asCte({ name, sql }: InsightView, allHistory: boolean): string {
  const limited = LIMITED.has(name) && !allHistory;
  const rows = limited ? `SELECT * FROM (\n${sql}\n) WHERE date >= $scan_from AND date <= $scan_to` : sql;
  return `${name} AS ${KEPT.has(name) ? '' : 'NOT '}MATERIALIZED (\n${rows}\n)`;
}

function readReport(name: string): SqlFile {
  return readSqlFile(new URL(`${name}.sql`, FOLDER), name);
}

function describe({ name, summary, details }: SqlFile): Report {
  const fields = readFields(details);
  const text = (key: string): string => fields.get(key)?.join(' ').replaceAll(/\s+/g, ' ').trim() ?? '';
  const required = (key: string): string => {
    if (text(key) === '') throw new Error(`reports/${name}.sql: its comment has no "${key}:"`);
    return text(key);
  };
  return {
    name,
    summary,
    group: required('group'),
    row: required('row'),
    period: required('period'),
    segment: text('segment') || undefined,
    allHistory: text('history') === 'all',
    columns: readColumns(fields.get('columns') ?? []).flatMap((column) => {
      const own = NAMED[column.name];
      const description = `its name in the catalogue; NULL if it has none`;
      return own === undefined ? [column] : [column, { name: own, description }];
    }),
    nulls: required('null'),
    needs: required('needs'),
    source: required('source'),
    parameters: [...fields.keys()]
      .filter((key) => key.startsWith('param '))
      .map((key) => parameter(key, text(key), name)),
  };
}

/**
 * Reads the columns of a report's comment.
 *
 * The first line names columns and fragments in order. The other lines describe the columns that no fragment has.
 */
function readColumns([order = '', ...lines]: readonly string[]): Report['columns'] {
  const described = new Map<string, string>();
  let last = '';
  for (const line of lines) {
    const column = /^ {2}([a-z_0-9]+): (.*)$/.exec(line);
    if (column) described.set((last = column[1]!), column[2]!);
    else described.set(last, `${described.get(last) ?? ''} ${line.trim()}`);
  }
  return (order === '' ? [...described.keys()] : order.split(/,\s*/)).flatMap((name) => {
    const description = described.get(name);
    return description === undefined
      ? readColumns(readFields(readFragment(name).details).get('columns') ?? [])
      : [{ name, description }];
  });
}

function parameter(key: string, description: string, report: string): ReportParameter {
  const [, name, type, value] = /^param ([a-z_]+) (TEXT$|INTEGER|DOUBLE)(?: (\d+(?:\.\d+)?))?$/.exec(key) ?? [];
  if (!name || !type || (type === 'TEXT') !== (value === undefined))
    throw new Error(`reports/${report}.sql: "${key}" must be "param <name> TEXT" or "… <INTEGER|DOUBLE> <default>"`);
  return { name, type: type as ReportParameterType, default: value === undefined ? null : Number(value), description };
}
