import { createFairBound, type FairLimits, type Holder } from '../../runtime/fairBound.ts';
import { LakeError } from '../../lake/errors.ts';

/** Bound on answers on disk that slow callers have not fetched. */
export interface PendingAnswers {
  /**
   * Counts an answer.
   * @returns a function to call when the answer is sent or abandoned
   * @throws LakeError too_many_queries
   */
  add(holder: Holder): () => void;
}

export function createPendingAnswers(limits: FairLimits): PendingAnswers {
  const bound = createFairBound(limits);
  return {
    add: (holder) => {
      const sent = bound.take(holder);
      if (sent) return sent;
      const message = `${bound.count} answers have not been read yet, yours among them. Read or close them first.`;
      throw new LakeError('too_many_queries', message, { retryAfterSeconds: 2 });
    },
  };
}
