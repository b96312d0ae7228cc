import { openLocalFiles } from '../../query/engine/open.ts';
import { createAudit } from '../../query/audit/audit.ts';
import { createTableCache } from '../../lake/layout/tableCache.ts';
import { openLocalStorage } from '../../lake/storage/local.ts';
import { createRegistry } from '../../schemas/registry.ts';
import type { NatsConnection } from '../../stream/nats.ts';
import { DAY_MS, utcDay } from '../../runtime/units.ts';
import { allCommitted } from '../stack/committed.ts';
import { CONTRACT_TENANTS } from './credentials.ts';

export interface Balance {
  /** Accepted events by the day counts. */
  accepted: number;
  /** Days that do not add up, in words. */
  faults: string[];
}

const COMMIT_MS = 120_000;

/** Waits until everything is committed, and reconciles the days of the tenants of a contract run. */
export async function balanceOf(options: {
  connection: NatsConnection;
  /** Location of the lake, `file:<folder>`. */
  lakeUrl: string;
}): Promise<Balance> {
  const { connection, lakeUrl } = options;
  const pending = await allCommitted(connection, { withinMs: COMMIT_MS });
  if (pending !== undefined) return { accepted: 0, faults: [`not committed: ${pending}`] };
  const storage = await openLocalStorage(lakeUrl.slice('file:'.length));
  const localFiles = await openLocalFiles(storage, { workDir: '', cacheMaxBytes: 0 });
  const tables = createTableCache(storage, createRegistry());
  const audit = createAudit({ storage, tables, localFiles, connection: () => connection });
  try {
    // Requests around midnight count on two days.
    const days = { from: utcDay(Date.now() - DAY_MS), to: utcDay(Date.now()) };
    const found = await Promise.all(CONTRACT_TENANTS.map((tenantId) => audit.reconcile(tenantId, days)));
    return {
      accepted: found.flatMap((one) => one.days).reduce((sum, day) => sum + day.accepted, 0),
      faults: found
        .filter(({ balanced }) => !balanced)
        .map(({ tenantId, differences }) => `${tenantId} does not add up: ${JSON.stringify(differences.slice(0, 3))}`),
    };
  } finally {
    await audit.close();
  }
}
