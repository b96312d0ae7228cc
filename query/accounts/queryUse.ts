import type { FileAnswer, Queries } from '../engine/query.ts';
import type { QueryUse } from './usage.ts';
import { monthOf } from './usageTable.ts';

/** Uses of queries that are in no table yet, by tenant and month. */
export interface QueryUses {
  /** The same queries, each counted. */
  counted(queries: Queries): Queries;
  /** Tenants with uses. */
  tenantIds(): string[];
  /** Takes the uses of a tenant, by month. */
  take(tenantId: string): Map<string, QueryUse>;
  /** Puts back what could not be written. */
  putBack(tenantId: string, uses: ReadonlyMap<string, QueryUse>): void;
}

/** Creates the counter of this process. */
export function createQueryUses(now: () => number = Date.now): QueryUses {
  let tenants = new Map<string, Map<string, QueryUse>>();
  const add = (tenantId: string, month: string, use: QueryUse): void => {
    const months = tenants.get(tenantId) ?? new Map<string, QueryUse>();
    tenants.set(tenantId, months);
    const before = months.get(month);
    months.set(month, before ? sum(before, use) : use);
  };
  const note = (tenantId: string, startedAt: number, answer?: FileAnswer): void =>
    add(tenantId, monthOf(now()), {
      queries: 1,
      queryCpuSeconds: (answer?.cpuMs ?? 0) / 1_000,
      queryRows: answer?.rowCount ?? 0,
      querySeconds: (performance.now() - startedAt) / 1_000,
    });
  return {
    counted: (queries) => ({
      ...queries,
      answer: async (request) => {
        const startedAt = performance.now();
        let answer: FileAnswer | undefined;
        try {
          answer = await queries.answer(request);
          return answer;
        } finally {
          note(request.tenantId, startedAt, answer);
        }
      },
    }),
    tenantIds: () => [...tenants.keys()],
    take: (tenantId) => {
      const taken = tenants.get(tenantId) ?? new Map<string, QueryUse>();
      tenants = new Map([...tenants].filter(([id]) => id !== tenantId));
      return taken;
    },
    putBack: (tenantId, uses) => {
      for (const [month, use] of uses) add(tenantId, month, use);
    },
  };
}

function sum(a: QueryUse, b: QueryUse): QueryUse {
  return {
    queries: a.queries + b.queries,
    queryCpuSeconds: a.queryCpuSeconds + b.queryCpuSeconds,
    queryRows: a.queryRows + b.queryRows,
    querySeconds: a.querySeconds + b.querySeconds,
  };
}
