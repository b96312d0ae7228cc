import { readdirSync } from 'node:fs';
import type { Registry } from '../../schemas/registry.ts';
import { LakeError } from '../../lake/errors.ts';
import { readFields, readSqlFile, type SqlFile } from './sqlFile.ts';
import { expandSql, insightViews, readFragment, viewsReadBy, type InsightView } from './views.ts';

export type ReportParameterType = 'INTEGER' | 'DOUBLE';

/** A parameter of one report, besides the period and the segment. */
export interface ReportParameter {
  name: string;
  type: ReportParameterType;
  default: number;
  description: string;
}

/** What a report says of itself, from the comment at the head of its file. */
export interface Report {
  name: string;
  summary: string;
  group: string;
  /** What one row is. */
  row: string;
  /** What the period selects. */
  period: string;
  /** What the segment is of; undefined where the report takes none. */
  segment: string | undefined;
  /** Reads all that is stored instead of the period and the days around it. */
  allHistory: boolean;
  columns: { name: string; description: string }[];
  /** When a value is NULL and when 0. */
  nulls: string;
  /** Events and fields it needs. */
  needs: string;
  source: string;
  parameters: ReportParameter[];
}

/**
 * Days read before and after the period: a chain from search to order takes up to 7 days and a visit may cross midnight.
 * Orders are told apart over all that is stored, however far from the period.
 */
export const DAYS_AROUND = 8;

const FOLDER = new URL('./reports/', import.meta.url);

/** Groups in the order people look for them. */
const GROUPS = ['search', 'product', 'commercial', 'personalization', 'quality'];

/** All reports, by group and name. */
export function listReports(): Report[] {
  return reportNames()
    .map((name) => describe(readReport(name)))
    .sort((a, b) => GROUPS.indexOf(a.group) - GROUPS.indexOf(b.group) || (a.name < b.name ? -1 : 1));
}

/** @throws LakeError report_unknown */
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
 * One SELECT statement over `events_all` and `quarantine_all`, the macros of views.ts taken as created. Its parameters are
 * named: $from, $to (TIMESTAMPTZ, the latter excluded), $before (as long before $from as $to is after), $scan_from and
 * $scan_to (DATE), $segment (VARCHAR or NULL), and those of the report; see reportRun.ts for their values.
 * The views it reads stand in it as CTEs that read the days around the period only, so that files of other days are pruned.
 */
export function renderReport({ name, allHistory }: Report, registry: Registry): string {
  return withViews(readReport(name).sql, { allHistory }, registry);
}

/** A statement with the views that it reads standing in it as CTEs; `$scan_from` and `$scan_to` are the days they read. */
export function withViews(sql: string, { allHistory }: { allHistory: boolean }, registry: Registry): string {
  const body = expandSql(sql, registry);
  const ctes = viewsReadBy(body, insightViews(registry)).map((view) => asCte(view, allHistory));
  const rest = /^with\s/i.test(body) ? `,\n${body.replace(/^with\s+/i, '')}` : `\n${body}`;
  return `WITH ${ctes.join(',\n')}${rest}`;
}

/** Views whose rows are limited to the days read: the others read these. */
const LIMITED = new Set(['events', 'orders']);

/**
 * Views that are small and read several times. The others are worked into whatever reads them: DuckDB 1.5 would otherwise
 * keep all rows of a view that is read twice, with all columns, where only a few of either are wanted.
 */
const KEPT = new Set(['identity', 'sessionless', 'session_visitors', 'buyers', 'tracked']);

function asCte({ name, sql }: InsightView, allHistory: boolean): string {
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
    columns: readColumns(fields.get('columns') ?? []),
    nulls: required('null'),
    needs: required('needs'),
    source: required('source'),
    parameters: [...fields.keys()]
      .filter((key) => key.startsWith('param '))
      .map((key) => parameter(key, text(key), name)),
  };
}

/** The first line names columns and fragments in order; the others describe the columns that are not a fragment's. */
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
  const [, name, type, value] = /^param ([a-z_]+) (INTEGER|DOUBLE) (\d+(?:\.\d+)?)$/.exec(key) ?? [];
  if (!name || !type)
    throw new Error(`reports/${report}.sql: "${key}" must be "param <name> <INTEGER|DOUBLE> <default>"`);
  return { name, type: type as ReportParameterType, default: Number(value), description };
}
