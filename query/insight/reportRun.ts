import {
  DOUBLE,
  DuckDBDateValue,
  DuckDBTimestampTZValue,
  INTEGER,
  VARCHAR,
  type DuckDBConnection,
  type DuckDBMaterializedResult,
  type DuckDBType,
  type DuckDBValue,
} from '@duckdb/node-api';
import { createRegistry, type Registry } from '../../schemas/registry.ts';
import { isDate } from '../../schemas/dateTime.ts';
import { isId } from '../../schemas/subjects.ts';
import { createZone, isDayStart, isZone, UTC, type Zone } from '../../schemas/zone.ts';
import { LakeError } from '../../lake/errors.ts';
import { renderedReport } from './renderedReport.ts';
import { DAYS_AROUND, type Report, type ReportParameter } from './reports.ts';
import type { Stage, StagedSql } from './stages.ts';
import { DAY_MS, MINUTE_MS, utcDay } from '../../runtime/units.ts';

/** A request for a report, with texts as given. */
export interface ReportRequest {
  name: string;
  /** Start: `2026-11-01` (its first moment in the zone) or an RFC 3339 time with a zone. */
  from: string;
  /** End of the period, exclusive, in the same forms. */
  to: string;
  /** Time zone of days, an IANA name; absent: UTC. */
  zone?: string | undefined;
  /** Whether to answer for the period before instead, as much of it as has passed. */
  before?: boolean | undefined;
  segment?: string | undefined;
  /** Parameters of the report by name; absent ones have their defaults. */
  parameters?: Readonly<Record<string, string | number>> | undefined;
}

/** Moments in Unix milliseconds; `to` is excluded. */
interface Period {
  from: number;
  to: number;
}

/** A report ready to run: one statement and its values. */
export interface BoundReport {
  report: Report;
  sql: string;
  values: Record<string, DuckDBValue>;
  types: Record<string, DuckDBType>;
  /** First and last UTC date of the files to read; undefined: all files. */
  dates: { from: string; to: string } | undefined;
  /** The same report over stages; undefined if it reads relations that have none. */
  staged: StagedReport | undefined;
}

/** A report over stages (stages.ts). */
export interface StagedReport extends StagedSql {
  /** The stages to make, in order. */
  stages: readonly Stage[];
  values: Record<string, DuckDBValue>;
  types: Record<string, DuckDBType>;
  /** First and last UTC date of the events to read; undefined: all. */
  days: { from: string; to: string } | undefined;
}

const PARAMETER_TYPES = { INTEGER, DOUBLE, TEXT: VARCHAR };
/** Longest text of a parameter: longer than any text that is stored. */
const MOST_CHARACTERS = 4_000;
const FIRST_DATE_MS = Date.parse('0000-01-01T00:00:00Z');
const LAST_DATE_MS = Date.parse('9999-12-31T00:00:00Z');

/**
 * Checks a request and binds its values. None becomes part of the SQL.
 *
 * `before` and `before_to` are the period that a report compares with: as long as the part of the period that has
 * passed, and ended when the period began or earlier.
 * @param nowMs Unix milliseconds
 * @throws LakeError report_unknown, report_parameter
 */
export function bindReport(
  request: ReportRequest,
  registry: Registry = createRegistry(),
  nowMs = Date.now(),
): BoundReport {
  const { report, sql, over, stages } = renderedReport(request.name, registry);
  const zone = zoneNamed(request.zone ?? UTC);
  const asked = { from: moment('from', request.from, zone), to: moment('to', request.to, zone) };
  if (asked.from >= asked.to) {
    throw new LakeError(
      'report_parameter',
      `from ${request.from} is not before to ${request.to}, which is excluded. For one day, set to to the day after`,
    );
  }
  const { from, to } = request.before ? periodBefore(asked, zone, nowMs) : asked;
  const before = periodBefore({ from, to }, zone, nowMs);
  const first = /\$before\b/.test(sql) ? before.from : from;
  const scanFrom = first - DAYS_AROUND * DAY_MS;
  const scanTo = to + DAYS_AROUND * DAY_MS;
  const values: Record<string, DuckDBValue> = {
    from: timestamp(from),
    to: timestamp(to),
    before: timestamp(before.from),
    before_to: timestamp(before.to),
    zone: zoneValue(zone, first, to),
    scan_from: dateValue(scanFrom),
    scan_to: dateValue(scanTo),
    segment: segmentValue(report, request.segment),
    ...parameterValues(report, request.parameters ?? {}),
  };
  const types: Record<string, DuckDBType> = {
    segment: VARCHAR,
    zone: VARCHAR,
    ...Object.fromEntries(report.parameters.map(({ name, type }) => [name, PARAMETER_TYPES[type]])),
  };
  const days = { from: isoDate(scanFrom), to: isoDate(scanTo) };
  // Orders are distinguished over all stored events, so a report that reads orders needs all files.
  const readsAll = report.allHistory || /^all_orders AS /m.test(sql);
  return {
    report,
    sql,
    values: usedBy(sql, values),
    types: usedBy(sql, types),
    dates: readsAll ? undefined : days,
    staged: over && {
      ...over,
      stages,
      values: usedBy(over.sql, values),
      types: usedBy(over.sql, types),
      days: report.allHistory ? undefined : days,
    },
  };
}

/** The values of the parameters that a statement names. */
function usedBy<T>(sql: string, values: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => new RegExp(`\\$${name}\\b`).test(sql)));
}

/**
 * Runs a report on a connection with the macros.
 *
 * The connection has `events_all` and `quarantine_all`.
 * @returns a result with all rows
 */
export function runReport(
  connection: DuckDBConnection,
  { sql, values, types }: BoundReport,
): Promise<DuckDBMaterializedResult> {
  return connection.run(sql, values, types);
}

/**
 * The period of the last days in a zone, today included.
 * @throws LakeError report_parameter if there is no such zone
 */
export function lastDays(nowMs: number, zone = UTC, days = 28): { from: string; to: string } {
  const today = Date.parse(zoneNamed(zone).dayOf(nowMs));
  return { from: isoDate(today - (days - 1) * DAY_MS), to: isoDate(today + DAY_MS) };
}

/**
 * The period that one is compared with: as long, and ended when it began.
 *
 * A period of whole days is preceded by as many whole days, which may have an hour more or less. Of a period that is
 * not over, the part that has passed is compared, to the same time of day.
 */
function periodBefore({ from, to }: Period, zone: Zone, nowMs: number): Period {
  // To the minute, so that a page that is looked at again asks for the same.
  const now = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS;
  const passed = now > from && now < to ? now : to;
  if (!isDayStart(zone, from) || !isDayStart(zone, to)) return { from: from - (to - from), to: passed - (to - from) };
  const days = (Date.parse(zone.dayOf(to)) - Date.parse(zone.dayOf(from))) / DAY_MS;
  const earlier = zone.addDays(passed, -days);
  const start = zone.startOfDay(isoDate(Date.parse(zone.dayOf(from)) - days * DAY_MS));
  return { from: start, to: passed === to ? from : Math.min(earlier, from) };
}

/** @throws LakeError report_parameter */
function zoneNamed(name: string): Zone {
  if (isZone(name)) return createZone(name);
  throw new LakeError(
    'report_parameter',
    `zone ${JSON.stringify(name.slice(0, 80))} is no IANA time zone: write for example Europe/Copenhagen or UTC`,
  );
}

/**
 * The value of $zone, for the macro local_day: offsets, and the moments between them, in microseconds.
 *
 * DuckDB has a time zone database of its own, which may be older than that of this process. So SQL never asks for it.
 */
function zoneValue(zone: Zone, from: number, to: number): string {
  const changes = zone.changes(from, to);
  const offsets = [from, ...changes].map((ms) => zone.offsetAt(ms) * 1_000);
  return `{'offsets': [${offsets.join(', ')}], 'changes': [${changes.map((ms) => ms * 1_000).join(', ')}]}`;
}

/** A moment in Unix milliseconds. */
function moment(name: string, text: string, zone: Zone): number {
  if (isDate(text)) return zone.startOfDay(text);
  const zoned = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/.test(text);
  const at = zoned ? Date.parse(text) : NaN;
  // Date.parse takes 31 February for 3 March.
  if (Number.isFinite(at) && isDate(text.slice(0, 10))) return at;
  throw new LakeError(
    'report_parameter',
    `${name} ${JSON.stringify(text)} is not a date: write 2026-11-23 or a time with its zone, 2026-11-23T10:00:00Z`,
  );
}

function segmentValue(report: Report, segment: string | undefined): string | null {
  if (segment === undefined) return null;
  if (report.segment === undefined) {
    throw new LakeError('report_parameter', `${report.name} covers the whole tenant: omit segment`);
  }
  if (isId(segment)) return segment;
  throw new LakeError('report_parameter', `segment ${JSON.stringify(segment)} is not the id of a segment`);
}

function parameterValues(
  report: Report,
  given: NonNullable<ReportRequest['parameters']>,
): Record<string, number | string | null> {
  const unknown = Object.keys(given).find((name) => report.parameters.every((parameter) => parameter.name !== name));
  if (unknown !== undefined) {
    const names = report.parameters.map(({ name }) => name).join(', ');
    throw new LakeError(
      'report_parameter',
      `${report.name} has no parameter ${JSON.stringify(unknown)}. Its parameters: ${names || 'none'}`,
    );
  }
  return Object.fromEntries(
    report.parameters.map((parameter) => [
      parameter.name,
      parameter.type === 'TEXT' ? textValue(parameter, given) : numberValue(parameter, given),
    ]),
  );
}

function textValue({ name }: ReportParameter, given: NonNullable<ReportRequest['parameters']>): string | null {
  const text = given[name];
  if (text === undefined) return null;
  if (String(text).length <= MOST_CHARACTERS) return String(text);
  throw new LakeError('report_parameter', `${name} must have at most ${MOST_CHARACTERS} characters`);
}

function numberValue(
  { name, type, ...parameter }: ReportParameter,
  given: NonNullable<ReportRequest['parameters']>,
): number {
  const text = String(given[name] ?? parameter.default);
  // Number accepts blanks, hex and exponents, and takes an empty text for 0.
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  const fits = type === 'INTEGER' ? Number.isInteger(value) && value <= 2_147_483_647 : Number.isFinite(value);
  if (fits && value > 0) return value;
  throw new LakeError('report_parameter', `${name} must be a ${type === 'INTEGER' ? 'whole ' : ''}number above 0`);
}

function timestamp(ms: number): DuckDBTimestampTZValue {
  return new DuckDBTimestampTZValue(BigInt(ms) * 1_000n);
}

function dateValue(ms: number): DuckDBDateValue {
  return new DuckDBDateValue(Math.floor(ms / DAY_MS));
}

/** The UTC date of a moment as a partition's value, until 9999-12-31. */
function isoDate(ms: number): string {
  const within = Math.min(Math.max(ms, FIRST_DATE_MS), LAST_DATE_MS);
  return utcDay(within);
}
