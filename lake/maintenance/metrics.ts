import { Counter, Gauge, type Registry } from 'prom-client';
import { TABLE_NAMES } from '../layout/tables.ts';

const DELETING_STEPS = ['retention', 'log_cleanup', 'vacuum'] as const;

/** A step of maintenance that deletes, and is refused while clocks differ. */
export type DeletingStep = (typeof DELETING_STEPS)[number];

/** Counters of maintenance; without a registry nothing collects them. */
export function createCounters(registry: Registry | undefined) {
  const registers = registry ? [registry] : [];
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> =>
    new Counter({ name: `spor_maintenance_${name}_total`, help, labelNames, registers });
  const counters = {
    compactions: counter('compactions', 'Compactions, by outcome.', ['table', 'outcome']),
    files: counter('compacted_files', 'Files that were replaced by fewer.', ['table']),
    bytes: counter('compacted_bytes', 'Bytes of files that were replaced by fewer.', ['table']),
    logFiles: counter('log_files_deleted', 'Log entries and checkpoints deleted.', []),
    vacuumed: counter('vacuumed_files', 'Data files deleted.', []),
    expired: counter('expired_files', 'Files of days whose time is over that left their table.', ['table']),
    refused: counter('refused', 'Deletions that were refused because the clocks differ, by step.', ['step']),
    failures: counter('failures', 'Tables whose maintenance failed.', ['table']),
    due: new Gauge({
      name: 'spor_maintenance_compactions_due',
      help: 'Merges that were due and not done when their tables were looked at last.',
      registers,
    }),
  };
  // What alerts count begins at 0: an increase from nothing is no increase to Prometheus.
  for (const table of TABLE_NAMES) {
    counters.failures.inc({ table }, 0);
    counters.compactions.inc({ table, outcome: 'failed' }, 0);
  }
  for (const step of DELETING_STEPS) counters.refused.inc({ step }, 0);
  return counters;
}
