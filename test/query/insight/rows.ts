import type { DuckDBConnection } from '@duckdb/node-api';
import { expect } from 'vitest';
import { bindReport, runReport, type ReportRequest } from '../../../query/insight/reportRun.ts';
import { insightMacros, insightStatements, type TenantFacts } from '../../../query/insight/views.ts';
import { jsonValue, type Json } from '../../../query/formats/values.ts';
import { createRegistry } from '../../../schemas/registry.ts';

export type Row = Record<string, Json>;

/** Makes the macros and views over `events_all` and `quarantine_all`. */
export async function createViews(connection: DuckDBConnection, facts: TenantFacts = {}): Promise<void> {
  for (const statement of insightStatements(createRegistry(), facts)) await connection.run(statement);
}

/** Makes the macros only, which is all that reports need. */
export async function createMacros(connection: DuckDBConnection, facts: TenantFacts = {}): Promise<void> {
  for (const { sql } of insightMacros(facts)) await connection.run(sql);
}

/** The answer to a query, decimals as text, by column name. */
export async function query(connection: DuckDBConnection, sql: string): Promise<Row[]> {
  return rowsOf(await connection.run(sql));
}

/** The answer to a report. */
export async function report(connection: DuckDBConnection, request: ReportRequest, nowMs?: number): Promise<Row[]> {
  return rowsOf(await runReport(connection, bindReport(request, createRegistry(), nowMs)));
}

async function rowsOf(result: Awaited<ReturnType<DuckDBConnection['run']>>): Promise<Row[]> {
  const names = result.columnNames();
  const rows = await result.getRows();
  return rows.map((values) => Object.fromEntries(values.map((value, index) => [names[index]!, jsonValue(value)])));
}

/** The same rows by key, whatever their order; doubles to so many digits, everything else exactly. */
export function expectSameRows(
  actual: readonly Row[],
  expected: readonly Row[],
  key: readonly string[],
  digits = 12,
): void {
  const keyOf = (row: Row): string => JSON.stringify(key.map((name) => row[name] ?? null));
  const byKey = (rows: readonly Row[]): Row[] =>
    rows.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : 0));
  const wanted = byKey(expected);
  expect(byKey(actual).map((row, index) => withNear(row, wanted[index] ?? {}, 10 ** (1 - digits)))).toEqual(wanted);
}

/** A row with the doubles of another where both are nearly the same. */
function withNear(row: Row, other: Row, tolerance: number): Row {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      const wanted = other[name];
      const isNear =
        typeof value === 'number' &&
        typeof wanted === 'number' &&
        Math.abs(value - wanted) <= tolerance * Math.max(Math.abs(value), Math.abs(wanted)) &&
        !(Number.isInteger(value) && Number.isInteger(wanted));
      return [name, isNear ? wanted : value];
    }),
  );
}
