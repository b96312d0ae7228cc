import { LakeError } from '../../lake/errors.ts';

/** Bound on answers on disk that slow callers have not fetched. */
export interface PendingAnswers {
  /**
   * Counts an answer.
   * @returns a function to call when the answer is sent or abandoned
   * @throws LakeError too_many_queries
   */
  add(tenantId: string): () => void;
}

export function createPendingAnswers({ perTenant, total }: { perTenant: number; total: number }): PendingAnswers {
  const byTenant = new Map<string, number>();
  let all = 0;
  return {
    add: (tenantId) => {
      const own = byTenant.get(tenantId) ?? 0;
      if (own >= perTenant || all >= total) {
        const message = `${own >= perTenant ? own : all} answers have not been read yet. Read or close them first.`;
        throw new LakeError('too_many_queries', message, { retryAfterSeconds: 2 });
      }
      byTenant.set(tenantId, own + 1);
      all++;
      let done = false;
      return () => {
        if (done) return;
        done = true;
        all--;
        const left = byTenant.get(tenantId)! - 1;
        if (left === 0) byTenant.delete(tenantId);
        else byTenant.set(tenantId, left);
      };
    },
  };
}
