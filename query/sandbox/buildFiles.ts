import { jsonValue, type Json } from '../formats/values.ts';
import type { InstanceLimits, KeptInstance } from './instances.ts';
import { runOurs } from './sandbox.ts';

/** Statements of ours that write files for later queries. What they create is temporary. */
export interface BuildJob {
  statements: readonly string[];
  /** Absolute paths that the statements read and write; no error names their folders. */
  files: readonly string[];
  limits: InstanceLimits & { timeoutMs: number };
}

export interface BuiltFiles {
  /** Rows of each statement. */
  rows: Json[][][];
  /** Processor time of the process that ran them; absent if it shares its process. */
  cpuMs?: number;
}

/**
 * Run statements of ours.
 * @throws LakeError those of runSandboxed
 */
export function buildFiles({ statements, files, limits }: BuildJob, kept: KeptInstance): Promise<BuiltFiles> {
  return runOurs({ views: [], files, sql: '' }, { limits, kept }, async ({ connection }) => {
    const rows: Json[][][] = [];
    for (const statement of statements)
      rows.push((await connection.runAndReadAll(statement)).getRows().map((row) => row.map(jsonValue)));
    return { rows };
  });
}
