import { createHash } from 'node:crypto';
import type { AnswerFacts } from '../sandbox/writeAnswer.ts';

/** An answer as it was written: its facts and bytes. */
export interface RecentAnswer {
  facts: AnswerFacts;
  content: Uint8Array;
}

/** Answers of reports that were given lately, by what they depend on. */
export interface RecentAnswers {
  find(key: string): RecentAnswer | undefined;
  /** Whether an answer of this size may be kept. */
  keeps(bytes: number): boolean;
  keep(key: string, answer: RecentAnswer): void;
}

export interface RecentLimits {
  /** Bytes of all answers. */
  totalBytes: number;
  /** Bytes of one answer. */
  answerBytes: number;
  /** Longest time an answer is kept: who was erased is in no memory for longer. */
  ageMs: number;
}

const MIB = 1_048_576;
const LIMITS: RecentLimits = { totalBytes: 32 * MIB, answerBytes: MIB, ageMs: 600_000 };

/**
 * Keeps answers in memory, the least recently used leave first.
 *
 * A report is a fixed statement over files that never change. The same statement, values and files give the same
 * answer, so a page that is looked at again costs no query.
 */
export function createRecentAnswers(now: () => number = () => performance.now(), limits = LIMITS): RecentAnswers {
  const answers = new Map<string, RecentAnswer & { keptAt: number }>();
  let total = 0;
  const drop = (key: string): void => {
    total -= answers.get(key)?.content.byteLength ?? 0;
    answers.delete(key);
  };
  const dropOld = (): void => {
    for (const [key, { keptAt }] of answers) if (now() - keptAt >= limits.ageMs) drop(key);
  };
  return {
    find(key) {
      dropOld();
      const found = answers.get(key);
      if (found === undefined) return undefined;
      answers.delete(key);
      answers.set(key, found); // the last in order is the last used
      return found;
    },
    keeps: (bytes) => bytes <= limits.answerBytes,
    keep(key, answer) {
      dropOld();
      drop(key);
      answers.set(key, { ...answer, keptAt: now() });
      total += answer.content.byteLength;
      for (const [oldest] of answers) {
        if (total <= limits.totalBytes) return;
        drop(oldest);
      }
    },
  };
}

/** A key for what an answer depends on. Only values that JSON tells apart may be part of it. */
export function answerKey(parts: readonly unknown[]): string {
  const text = JSON.stringify(parts, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
  return createHash('sha256').update(text).digest('base64');
}
