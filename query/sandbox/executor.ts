import { LakeError } from '../../lake/errors.ts';
import { buildFiles, type BuildJob, type BuiltFiles } from './buildFiles.ts';
import { KeptInstance, PrewarmedInstance } from './instances.ts';
import { openParser } from './sandbox.ts';
import { checkSql, type CheckedSql } from './sqlCheck.ts';
import { writeAnswer, type AnswerFacts, type AnswerJob } from './writeAnswer.ts';

/** A parser and runner of untrusted SQL. */
export interface Executor {
  /** Check as checkSql does. @throws LakeError */
  check(sql: string): Promise<CheckedSql>;
  /** Run as writeAnswer does. @throws LakeError */
  run(job: AnswerJob): Promise<AnswerFacts>;
  /** Build as buildFiles does. @throws LakeError */
  build(job: BuildJob): Promise<BuiltFiles>;
  close(): void;
}

/**
 * Executor in this process.
 *
 * A command uses it for its own caller, and each worker process for its queries. With `ahead` an instance is always ready for
 * the next query.
 */
export function inProcess({ ahead = false }: { ahead?: boolean } = {}): Executor {
  let parser: ReturnType<typeof openParser> | undefined;
  const instances = ahead ? new PrewarmedInstance() : undefined;
  const kept = new KeptInstance();
  return {
    check: async (sql) => {
      const opened = await (parser ??= openParser());
      try {
        return await checkSql(opened.connection, sql);
      } catch (error) {
        // A parser that failed inside may answer nothing more.
        if (error instanceof LakeError && error.code === 'internal') {
          parser = undefined;
          opened.close();
        }
        throw error;
      }
    },
    run: async (job) => {
      try {
        return await writeAnswer(job, { open: instances?.open, kept });
      } finally {
        if (!job.query.isOurs) instances?.next(job.limits);
      }
    },
    build: (job) => buildFiles(job, kept),
    close: () => {
      kept.drop();
      parser?.then((opened) => opened.close()).catch(() => undefined);
    },
  };
}
