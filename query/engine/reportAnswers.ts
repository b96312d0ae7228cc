import { readFile, writeFile } from 'node:fs/promises';
import { LakeError } from '../../lake/errors.ts';
import type { StagedReport } from '../insight/reportRun.ts';
import type { Executor } from '../sandbox/executor.ts';
import type { SqlParameters } from '../sandbox/rowStream.ts';
import type { SandboxLimits, SandboxQuery } from '../sandbox/sandbox.ts';
import type { AnswerFacts } from '../sandbox/writeAnswer.ts';
import type { BuildScratch } from './chunkStore.ts';
import { countBots } from './leftOut.ts';
import { answerKey, type RecentAnswers } from './recentAnswers.ts';
import { identityOf, type QuerySources } from './sources.ts';
import type { StagedReports } from './stagedReports.ts';

/** Values of a report, and the same report over stages if it has any. */
export interface RequestedReport extends SqlParameters {
  staged?: StagedReport | undefined;
}

/** A request for a report whose files are chosen. */
export interface ReportRequested {
  sql: string;
  report: RequestedReport;
  format: string;
  maxRows: number;
  /** Path of the answer. */
  file: string;
  sources: QuerySources;
  /** What the rows depend on besides the sources. */
  beside?: unknown;
}

/** Runs a statement over relations, and writes the answer. */
export type RunOver = (query: Omit<SandboxQuery, 'signal'>) => Promise<AnswerFacts>;

export interface ReportAnswers {
  /** Writes a report's answer: a recent one, else from stages, else from the data files. @throws LakeError */
  answer(
    request: ReportRequested,
    ways: { runOver: RunOver; runOverFiles: () => Promise<AnswerFacts> },
  ): Promise<AnswerFacts>;
}

/** Failures of the request itself. After any other failure of stages, the data files are read. */
const OWN_FAILURES: ReadonlySet<string> = new Set(['query_cancelled', 'query_timeout']);

/** Creates answers of reports. */
export function createReportAnswers(options: {
  recent: RecentAnswers;
  staged: StagedReports;
  executor: Executor;
  limits: SandboxLimits;
}): ReportAnswers {
  const { recent, staged, executor, limits } = options;

  /** Writes the answer of a key, if one was given lately. */
  const again = async (key: string, file: string): Promise<AnswerFacts | undefined> => {
    const given = recent.find(key);
    if (given) await writeFile(file, given.content, { flag: 'wx' });
    return given && { ...given.facts, cpuMs: 0 };
  };
  const keep = async (keys: readonly string[], facts: AnswerFacts, file: string): Promise<void> => {
    if (!recent.keeps(facts.bytes)) return;
    const content = await readFile(file);
    for (const key of keys) recent.keep(key, { facts, content });
  };

  return {
    answer: async (request, { runOver, runOverFiles }) => {
      const { sql, report, format, maxRows, file, sources, beside } = request;
      const keyFor = (identity: unknown): string => answerKey([sql, report.values, format, maxRows, beside, identity]);
      const key = keyFor(identityOf(sources));
      const given = await again(key, file);
      if (given) return given;
      const startedAt = performance.now();
      let buildMs = 0;
      // A build goes on if the caller leaves, for others that wait for it; the caller's slot is taken until it ends.
      const build: BuildScratch = async (job) => {
        const timeoutMs = Math.max(1, Math.round(limits.timeoutMs - (performance.now() - startedAt)));
        const { rows, cpuMs = 0 } = await executor.build({ ...job, limits: { ...limits, timeoutMs } });
        buildMs += cpuMs;
        return rows;
      };
      const { events, quarantine } = sources;
      const stages = events && !quarantine ? report.staged : undefined;
      const own = { build, memoryMb: limits.memoryMb };
      const prepared = stages && (await attempt(() => staged.prepare(stages, events!, own)));
      try {
        const keys = prepared ? [key, keyFor(prepared.identity)] : [key];
        const same = prepared && (await again(keys[1]!, file));
        if (same) return { ...same, cpuMs: buildMs };
        const opened = prepared && (await attempt(() => prepared.open()));
        const ran = opened
          ? await runOver({
              isOurs: true,
              views: opened.views,
              files: opened.files,
              sql: stages!.sql,
              parameters: { values: stages!.values, types: stages!.types },
              botCount: countBots(report.values, opened.flagged),
            })
          : await runOverFiles();
        await keep(keys, ran, file);
        return ran.cpuMs === undefined ? ran : { ...ran, cpuMs: ran.cpuMs + buildMs };
      } finally {
        prepared?.release();
      }
    },
  };
}

/** The result; undefined after a failure that reading the data files may avoid. */
async function attempt<T>(task: () => Promise<T>): Promise<T | undefined> {
  try {
    return await task();
  } catch (error) {
    if (error instanceof LakeError && OWN_FAILURES.has(error.code)) throw error;
    return undefined;
  }
}
