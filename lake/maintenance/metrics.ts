import { Counter, type Registry } from 'prom-client';

/** Counters of maintenance; without a registry nothing collects them. */
export function createCounters(registry: Registry | undefined) {
  const registers = registry ? [registry] : [];
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> =>
    new Counter({ name: `spor_maintenance_${name}_total`, help, labelNames, registers });
  return {
    compactions: counter('compactions', 'Compactions, by outcome.', ['table', 'outcome']),
    files: counter('compacted_files', 'Files that were replaced by fewer.', ['table']),
    bytes: counter('compacted_bytes', 'Bytes of files that were replaced by fewer.', ['table']),
    logFiles: counter('log_files_deleted', 'Log entries and checkpoints deleted.', []),
    vacuumed: counter('vacuumed_files', 'Data files deleted.', []),
    expired: counter('expired_files', 'Files of days whose time is over that left their table.', ['table']),
    refused: counter('refused', 'Deletions that were refused because the clocks differ, by step.', ['step']),
    failures: counter('failures', 'Tables whose maintenance failed.', ['table']),
  };
}
