import { join } from 'node:path';
import { LAKE_SETTINGS } from '../../lake/config.ts';
import { openStorage } from '../../lake/storage/open.ts';
import { readConfig } from '../../runtime/config.ts';
import { grantAccess } from '../../scripts/access.ts';
import { dataGlob } from '../../scripts/demo/dataGlob.ts';
import { findLakeFiles, readIds } from '../../scripts/demo/lakeFiles.ts';
import { createLakeRows } from '../../scripts/demo/lakeRows.ts';
import { compare, faultsOf, quarantineFaults } from '../../scripts/demo/verify.ts';
import { createLedger, type Ledger } from '../../scripts/load/ledger.ts';
import { play } from '../../scripts/load/player.ts';
import { createSender } from '../../scripts/load/sender.ts';
import { createQueryClient } from '../../scripts/queryClient.ts';
import { SHOPS } from '../../scripts/shop/shops.ts';
import { simulate } from '../../scripts/shop/simulation.ts';
import type { Stack } from '../../scripts/stack.ts';
import { until } from './until.ts';

const SIMULATED_MS = 3_600_000;
const SETTLE_MS = 90_000;

/**
 * Plays seeded shoppers against a stack while a test does something to it, waits until the lake has all of it, and compares
 * the ledger with the lake, id by id, through the query server and through a bare read of the files.
 * @returns what is not as promised; empty when all is well
 */
export async function playAndCompare(
  stack: Stack,
  options: { seconds: number; rate: number; seed: number; meanwhile?: () => Promise<void> },
): Promise<{ ledger: Ledger; faults: string[] }> {
  const { seconds, rate, seed, meanwhile } = options;
  const access = await grantAccess({ natsUrl: stack.natsUrl, replicas: 1, shops: SHOPS, label: 'test' });
  const since = new Date();
  const ledger = createLedger();
  const sender = createSender({ url: stack.ingestUrl, keyOf: access.keyOf, ledger, connections: 16, timeoutMs: 5_000 });
  const untilMs = Date.now();
  const startMs = untilMs - SIMULATED_MS;
  const speed = SIMULATED_MS / (seconds * 1000);
  const events = simulate({ seed, startMs, untilMs, eventsPerSecond: rate / speed, badShare: 0.02 });
  try {
    await Promise.all([
      play({ events, sender, batchEvents: 10, connections: 16, clock: { startMs, speed } }),
      meanwhile?.(),
    ]);
  } finally {
    sender.close();
  }
  // The test may have ended the query server a moment ago, and it is on its way back.
  await until(async () => (await fetch(new URL('/readyz', stack.queryUrl))).ok, SETTLE_MS);
  const faults = ledger.surprises.map(({ eventId, expected, got }) => `${eventId}: ${got} instead of ${expected}`);
  const client = createQueryClient(stack.queryUrl);
  const { signal } = new AbortController();
  for (const { tenantId } of SHOPS) {
    const rows = createLakeRows(client, access.tokenOf(tenantId), since);
    const refused = ledger.refused.get(tenantId) ?? new Map<string, number>();
    const accepted = [...ledger.accepted.values()].filter((known) => known.tenantId === tenantId).length;
    const refusals = [...refused.values()].reduce((sum, count) => sum + count, 0);
    await rows.until(accepted, refusals, SETTLE_MS, signal);
    faults.push(...faultsOf('the query server', compare(tenantId, ledger, await rows.eventIds())));
    // A refused event has no id that tells a resend: a batch whose answer was lost is quarantined twice.
    if (meanwhile === undefined) faults.push(...quarantineFaults(tenantId, refused, await rows.quarantined()));
  }
  const config = readConfig(LAKE_SETTINGS, { ...process.env, ...stack.env });
  const storage = await openStorage(config.lakeUrl, config);
  const files = await findLakeFiles(config.lakeUrl, storage, join(stack.dir, 'lake-copy'));
  storage.close();
  for (const { tenantId } of SHOPS) {
    const stored = await readIds(dataGlob(files.folder, 'events', tenantId), since);
    faults.push(...faultsOf('a bare read_parquet', compare(tenantId, ledger, stored)));
  }
  return { ledger, faults };
}
