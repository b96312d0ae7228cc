import { LakeError } from '../errors.ts';
import type { Action, CommitInfo, MetaData } from './actions.ts';

/**
 * Facts of a commit that other engines show and decide by (Delta protocol, "Commit Provenance Information").
 * Spark's DESCRIBE HISTORY shows the metrics, whose values are text. A blind append conflicts with nothing there.
 */
export function commitFacts(actions: readonly Action[], readVersion: number): CommitInfo {
  const added = actions.flatMap((action) => ('add' in action ? [action.add] : []));
  const removed = actions.flatMap((action) => ('remove' in action ? [action.remove] : []));
  const metrics: Record<string, number> = {};
  if (added.length + removed.length > 0) {
    metrics.numFiles = metrics.numAddedFiles = added.length;
    metrics.numAddedBytes = metrics.numOutputBytes = sum(added.map(({ size }) => size));
    metrics.numOutputRows = sum(added.map(({ stats, dataChange }) => (dataChange ? rowsOf(stats) : 0)));
    metrics.numRemovedFiles = removed.length;
    metrics.numRemovedBytes = sum(removed.map(({ size = 0 }) => size));
  }
  return {
    ...(readVersion < 0 ? {} : { readVersion }),
    isBlindAppend: added.length > 0 && removed.length === 0 && added.every(({ dataChange }) => dataChange),
    operationMetrics: Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, String(value)])),
  };
}

/**
 * Check that a commit removes no rows of a table that allows none (Delta protocol, "Append-only Tables").
 * @throws LakeError table_append_only
 */
export function checkAppendOnly(actions: readonly Action[], { configuration }: MetaData, table: string): void {
  if (configuration['delta.appendOnly'] !== 'true') return;
  if (!actions.some((action) => 'remove' in action && action.remove.dataChange)) return;
  throw new LakeError(
    'table_append_only',
    `${table} has the property delta.appendOnly, so no row of it may be removed. ` +
      'Remove the property with the tool that set it, then repeat',
  );
}

function rowsOf(stats: string | undefined): number {
  return stats === undefined ? 0 : ((JSON.parse(stats) as { numRecords?: number }).numRecords ?? 0);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
