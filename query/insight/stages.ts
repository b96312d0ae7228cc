import type { Registry } from '../../schemas/registry.ts';
import { asCte, joinCtes } from './reports.ts';
import { insightViews, viewsReadBy } from './views.ts';

/** A statement that reads stages, with the views between them as CTEs. */
export interface StagedSql {
  sql: string;
  /** Relations that it reads: stages, `events` and `order_events`. */
  reads: readonly string[];
  /** Orders that it reads: those of its days, all, or none; without those that only its stages read. */
  orders: OrdersRead;
}

export type OrdersRead = 'none' | 'ofDays' | 'all';

/** A view that is made once and read by several reports. */
export interface Stage extends StagedSql {
  name: string;
  /** Whether its rows depend on the days to read, `$scan_from` and `$scan_to`. */
  dated: boolean;
}

/** The stages of one registry. */
export interface Stages {
  /** In order: each reads only earlier ones. */
  all: readonly Stage[];
  /** A statement of the views as one over stages; undefined if it reads a relation that no stage replaces. */
  over(body: string): StagedSql | undefined;
}

/** Types of events about orders, which `order_events` holds. */
export const ORDER_TYPES = ['OrderCreated', 'OrderCorrected', 'OrderCancelled', 'OrderRefunded'] as const;

/** Costly views that several reports read, in order of creation. */
const STAGED = [
  'all_orders',
  'refunds',
  'activity',
  'buyers',
  'sessions',
  'distinct_searches',
  'attribution',
  'search_outcomes',
  'touches',
  'tracked',
] as const;

/** Stages of orders, which are distinguished over all stored events. They read no other events. */
const OF_ALL_DAYS: readonly string[] = ['all_orders', 'refunds'];
/** Relations that are made from files, each for its own days. */
const MADE_FROM_FILES = ['events', 'order_events'];
const UNSTAGED = /\b(?:events_all|quarantine_all|events_with_bots|quarantine)\b/;

/**
 * Creates the stages of the views.
 *
 * DuckDB plans an inlined view, and reads its files, again in each place that reads it. A stage is planned and read
 * once, and reports share it.
 */
export function createStages(registry: Registry, { allHistory }: { allHistory: boolean }): Stages {
  const views = insightViews(registry);
  const isMade = (name: string): boolean => MADE_FROM_FILES.includes(name) || STAGED.some((stage) => stage === name);
  const render = (body: string, own?: string): StagedSql => {
    const ofOrders = own !== undefined && OF_ALL_DAYS.includes(own);
    const usable = views
      .filter(({ name }) => name !== own)
      .map((view) => (isMade(view.name) ? { ...view, sql: '' } : view))
      .map((view) => (ofOrders && view.name === 'events_with_bots' ? { ...view, sql: 'FROM order_events' } : view));
    const found = viewsReadBy(body, usable);
    const ctes = found.filter(({ name }) => !isMade(name)).map((view) => asCte(view, allHistory));
    const reads = found.map(({ name }) => name).filter(isMade);
    const beside = viewsReadBy(
      body,
      usable.map((view) => (view.name === 'orders' ? { ...view, sql: '' } : view)),
    );
    const isWhole = allHistory || beside.some(({ name }) => OF_ALL_DAYS.includes(name));
    return {
      sql: joinCtes(ctes, body),
      reads: ofOrders ? ['order_events', ...reads] : reads,
      orders: !reads.some((name) => OF_ALL_DAYS.includes(name)) ? 'none' : isWhole ? 'all' : 'ofDays',
    };
  };
  return {
    all: STAGED.map((name) => {
      const { sql } = views.find((view) => view.name === name)!;
      return { name, dated: !OF_ALL_DAYS.includes(name), ...render(sql, name) };
    }),
    over: (body) => {
      const staged = render(body);
      return UNSTAGED.test(staged.sql) ? undefined : staged;
    },
  };
}

/** The stages that a statement reads, also through others, in order. */
export function stagesReadBy({ reads }: StagedSql, { all }: Stages): Stage[] {
  const wanted = new Set(reads);
  for (const stage of all.toReversed()) if (wanted.has(stage.name)) stage.reads.forEach((name) => wanted.add(name));
  return all.filter(({ name }) => wanted.has(name));
}
