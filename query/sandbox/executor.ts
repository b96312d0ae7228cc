import { PrewarmedInstance } from './instances.ts';
import { openParser } from './sandbox.ts';
import { checkSql, type CheckedSql } from './sqlCheck.ts';
import { writeAnswer, type AnswerFacts, type AnswerJob } from './writeAnswer.ts';

/** Where untrusted SQL is parsed and run. */
export interface Executor {
  /** As checkSql. @throws LakeError */
  check(sql: string): Promise<CheckedSql>;
  /** As writeAnswer. @throws LakeError */
  run(job: AnswerJob): Promise<AnswerFacts>;
  close(): void;
}

/**
 * In this process: for a command that serves its own caller, and within the processes of worker/, which make each database
 * `ahead`.
 */
export function inProcess({ ahead = false }: { ahead?: boolean } = {}): Executor {
  let parser: ReturnType<typeof openParser> | undefined;
  const instances = ahead ? new PrewarmedInstance() : undefined;
  return {
    check: async (sql) => checkSql((await (parser ??= openParser())).connection, sql),
    run: async (job) => {
      try {
        return await writeAnswer(job, instances?.open);
      } finally {
        instances?.next(job.limits);
      }
    },
    close: () => {
      parser?.then((opened) => opened.close()).catch(() => undefined);
    },
  };
}
