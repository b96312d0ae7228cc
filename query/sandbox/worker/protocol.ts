import type { LakeError } from '../../../lake/errors.ts';
import type { BuildJob, BuiltFiles } from '../buildFiles.ts';
import type { CheckedSql } from '../sqlCheck.ts';
import type { AnswerFacts, AnswerJob } from '../writeAnswer.ts';
import type { PlainParameters } from './parameters.ts';

/** Messages between pool.ts and child.ts. */
export interface WorkerRequest {
  id: number;
  /** SQL to check. */
  check?: string;
  /** Files to build. */
  build?: BuildJob;
  /** Query to run. A request with no work cancels the work of its id. */
  job?: Omit<AnswerJob, 'query'> & { query: Omit<AnswerJob['query'], 'parameters' | 'signal'> };
  parameters?: PlainParameters;
  /** Resident memory in bytes at which the process exits. */
  maxRssBytes?: number;
}

export interface WorkerReply {
  id: number;
  checked?: CheckedSql;
  facts?: AnswerFacts;
  built?: BuiltFiles;
  error?: { code: LakeError['code']; message: string; cause: string };
  rssBytes: number;
}

/** Exit code of a process that exceeded its memory. */
export const EXIT_MEMORY = 70;
