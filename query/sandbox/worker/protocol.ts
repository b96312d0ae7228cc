import type { LakeError } from '../../../lake/errors.ts';
import type { CheckedSql } from '../sqlCheck.ts';
import type { AnswerFacts, AnswerJob } from '../writeAnswer.ts';
import type { PlainParameters } from './parameters.ts';

/** What goes between pool.ts and child.ts. */
export interface WorkerRequest {
  id: number;
  /** SQL to check. */
  check?: string;
  /** Absent, as `check`: give up the query of this id. */
  job?: Omit<AnswerJob, 'query'> & { query: Omit<AnswerJob['query'], 'parameters' | 'signal'> };
  parameters?: PlainParameters;
  /** Resident memory at which the process ends itself, in bytes. */
  maxRssBytes?: number;
}

export interface WorkerReply {
  id: number;
  checked?: CheckedSql;
  facts?: AnswerFacts;
  error?: { code: LakeError['code']; message: string; cause: string };
  rssBytes: number;
}

/** How this process ends when it has taken too much memory. */
export const EXIT_MEMORY = 70;
