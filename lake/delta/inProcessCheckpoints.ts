import type { CheckpointFormat } from './checkpoint.ts';

/**
 * Default format of checkpoints, without which a table with a cleaned log is unreadable.
 * DuckDB is loaded with the first checkpoint.
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
