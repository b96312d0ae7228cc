import type { LocalFiles } from '../../lake/files/localFiles.ts';
import { literal } from '../../lake/duckdb/sqlText.ts';
import type { Json } from '../formats/values.ts';
import type { StagedReport } from '../insight/reportRun.ts';
import type { OrdersRead, Stage } from '../insight/stages.ts';
import { createChunkStore, scratchRows, type BuildScratch } from './chunkStore.ts';
import { keyOf, chunkPartsOf, type DaySpan } from './chunks.ts';
import type { HeldFile, ScratchFiles } from './scratchFiles.ts';
import type { TableSource } from './sources.ts';
import { createStageStore, scratchView } from './stageStore.ts';
import type { ViewCatalog } from './views.ts';

/** A report whose events and orders are known. Its other stages may not be made yet. */
export interface PreparedReport {
  /** What its rows depend on, besides the statement and its values. */
  identity: string;
  /** Makes the missing stages. @throws LakeError */
  open(): Promise<OpenedReport>;
  release: () => void;
}

/** What a report over stages reads, until it is released. */
export interface OpenedReport {
  /** Statements that create the relations. */
  views: readonly string[];
  files: readonly string[];
  /** Relation with the rows of bots, for their number. */
  flagged: string;
}

export interface StagedReports {
  /**
   * Prepares a report over stages.
   * @returns undefined if the report has too many events for stages
   * @throws LakeError those of a build and of the source's files
   */
  prepare(
    report: StagedReport,
    source: TableSource,
    options: { build: BuildScratch; memoryMb: number },
  ): Promise<PreparedReport | undefined>;
}

/** Bytes of data files, for each MiB of a query's memory, up to which a report has stages. */
const BYTES_PER_MIB = 65_536;

/** The orders by day as text, which changes only with an order of the day. */
const ORDERS_BY_DAY = `SELECT date::VARCHAR, concat_ws(' ', count(*), bit_xor(hash(one)), sum(hash(one)))
  FROM all_orders AS one GROUP BY date ORDER BY date`;

/**
 * Creates reports over stages (query/insight/stages.ts).
 *
 * Stages are scratch files that all reports over the same events share. A commit makes only the stages of its days and
 * orders anew.
 */
export function createStagedReports(options: {
  scratch: ScratchFiles;
  catalog: ViewCatalog;
  localFiles: LocalFiles;
}): StagedReports {
  const { catalog } = options;
  const chunks = createChunkStore(options);
  const stageStore = createStageStore(options);

  const prepare: StagedReports['prepare'] = async (report, source, { build, memoryMb }) => {
    const { days, stages } = report;
    const parts = chunkPartsOf(source, days);
    if (parts.bytes > memoryMb * BYTES_PER_MIB) return undefined;
    const ofOrders = stages.filter(({ dated }) => !dated);
    const held: HeldFile[] = [];
    const release = (): void => held.splice(0).forEach((file) => file.release());
    const base = [source.root, source.columns, source.sharedIds];
    const shared = { build, sharedIds: source.sharedIds };
    try {
      const { rows, orders, ordersKey } = await chunks.hold(source, { days, wantsOrders: ofOrders.length > 0, build });
      held.push(...rows, ...orders);
      const orderFiles = await stageStore.hold({
        ...shared,
        stages: ofOrders,
        wanted: new Set(ofOrders.map(({ name }) => name)),
        keys: new Map(ofOrders.map(({ name, sql }) => [name, keyOf([base, sql, ordersKey])])),
        base: { views: [scratchView('order_events', orders)], files: orders.map(({ path }) => path) },
        facts: { all_orders: ORDERS_BY_DAY },
      });
      held.push(...orderFiles.values());
      const byDay = orderFiles.get('all_orders')?.facts ?? [];
      const ordersOf: Record<OrdersRead, unknown> = { none: '', ofDays: ordersWithin(byDay, days), all: ordersKey };
      const rowsKey = [base, days, parts.names];
      const identity = keyOf([rowsKey, ordersOf[ordersReadBy(report.orders, stages)]]);

      const open = async (): Promise<OpenedReport> => {
        const fixed = { views: [eventsView(rows, days)], files: rows.map(({ path }) => path) };
        const made = await stageStore.hold({
          ...shared,
          stages: stages.map((stage) => ({ ...stage, sql: withDays(stage.sql, days) })),
          wanted: new Set(report.reads.filter((name) => stages.some((stage) => stage.name === name))),
          keys: new Map(
            stages.map(({ name, sql, dated, orders: own }) => {
              const read = ordersReadBy(own, stagesBelow(name, stages));
              return [name, dated ? keyOf([name, sql, rowsKey, ordersOf[read]]) : keyOf([base, sql, ordersKey])];
            }),
          ),
          base: fixed,
          facts: {},
        });
        held.push(...made.values());
        const own = [...made].filter(([name]) => report.reads.includes(name));
        return {
          views: [
            ...catalog.macros(report.sql, source),
            ...(report.reads.includes('events') ? fixed.views : []),
            ...own.map(([name, file]) => scratchView(name, [file])),
          ],
          files: [...fixed.files, ...own.map(([, { path }]) => path)],
          flagged: `(SELECT * FROM ${scratchRows(rows)} WHERE ${within(days)})`,
        };
      };
      return { identity, open, release };
    } catch (error) {
      release();
      throw error;
    }
  };
  return { prepare };
}

/** The orders that a statement reads, itself or through its stages. */
function ordersReadBy(own: OrdersRead, stages: readonly Stage[]): OrdersRead {
  const all = [own, ...stages.filter(({ dated }) => dated).map(({ orders }) => orders)];
  return all.includes('all') ? 'all' : all.includes('ofDays') ? 'ofDays' : 'none';
}

/** The stages that a stage reads, also through others. */
function stagesBelow(name: string, stages: readonly Stage[]): Stage[] {
  const below = new Set([name]);
  for (const stage of stages.toReversed()) if (below.has(stage.name)) stage.reads.forEach((read) => below.add(read));
  return stages.filter((stage) => stage.name !== name && below.has(stage.name));
}

/** The orders of some days, of all orders by day. */
function ordersWithin(byDay: readonly Json[][], days: DaySpan): readonly Json[][] {
  if (!days) return byDay;
  return byDay.filter(([date]) => typeof date === 'string' && date >= days.from && date <= days.to);
}

function eventsView(rows: readonly HeldFile[], days: DaySpan): string {
  return `CREATE TEMP VIEW events AS
    SELECT * EXCLUDE (is_bot) FROM ${scratchRows(rows)} WHERE is_bot IS NOT TRUE AND ${within(days)}`;
}

function within(days: DaySpan): string {
  return days ? `date >= DATE ${literal(days.from)} AND date <= DATE ${literal(days.to)}` : 'true';
}

function withDays(sql: string, days: DaySpan): string {
  if (!days) return sql;
  return sql
    .replaceAll(/\$scan_from\b/g, `DATE ${literal(days.from)}`)
    .replaceAll(/\$scan_to\b/g, `DATE ${literal(days.to)}`);
}
