import { literal } from '../../lake/duckdb/sqlText.ts';
import type { QueryClient } from '../queryClient.ts';
import type { LakeIds } from './verify.ts';

/** The query server's counts of one tenant since a moment. */
export interface LakeRows {
  /** Rows of the events table by type. */
  byType: () => Promise<Map<string, number>>;
  /** Rows of the quarantine by code. */
  quarantined: () => Promise<Map<string, number>>;
  eventIds: () => Promise<LakeIds>;
}

const PAGE = 5_000;

export function createLakeRows(client: QueryClient, token: string, since: Date): LakeRows {
  const recent = `received_at >= '${since.toISOString()}'::timestamptz`;
  const ask = async (sql: string): Promise<unknown[][]> => (await client.ask(token, sql)).rows;
  const counts = async (table: string, column: string): Promise<Map<string, number>> => {
    const rows = await ask(`select ${column}, count(*) from ${table} where ${recent} group by 1 order by 1`);
    return new Map(rows.map(([name, count]) => [String(name), Number(count)]));
  };
  return {
    byType: () => counts('events', 'type'),
    quarantined: () => counts('quarantine', 'code'),
    async eventIds() {
      const ids = new Map<string, number>();
      for (let after = ''; ;) {
        const rows = await ask(
          `select event_id, count(*) from events where ${recent} and event_id > ${literal(after)} group by 1 order by 1 limit ${PAGE}`,
        );
        for (const [id, count] of rows) ids.set(String(id), Number(count));
        if (rows.length === 0) return ids;
        after = String(rows.at(-1)![0]);
      }
    },
  };
}
