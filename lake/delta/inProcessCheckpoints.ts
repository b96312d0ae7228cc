import type { CheckpointFormat } from './checkpoint.ts';

/**
 * Whoever opens a table must be able to read its checkpoints, or could not open it once its log has been cleaned: so there
 * is always a format. DuckDB is loaded only by a process that meets a checkpoint.
 */
export const IN_PROCESS: CheckpointFormat = {
  write: async (job) => (await duckdb()).write(job),
  readState: async (file) => (await duckdb()).readState(file),
  readTombstones: async (file) => (await duckdb()).readTombstones(file),
};

async function duckdb(): Promise<CheckpointFormat> {
  const { duckdbCheckpoints } = await import('./checkpointParquet.ts');
  return duckdbCheckpoints();
}
