import { expect } from 'vitest';
import { grantAccess } from '../../scripts/access.ts';
import { openStream } from '../../cli/stream.ts';
import { compareBare } from '../../scripts/demo/bareRead.ts';
import { createLakeRows } from '../../scripts/demo/lakeRows.ts';
import { compare, faultsOf, quarantineFaults } from '../../scripts/demo/verify.ts';
import { createLedger, type Ledger } from '../../scripts/load/ledger.ts';
import { play } from '../../scripts/load/player.ts';
import { createSender } from '../../scripts/load/sender.ts';
import { createQueryClient } from '../../scripts/queryClient.ts';
import { SHOPS } from '../../scripts/shop/shops.ts';
import { simulate } from '../../scripts/shop/simulation.ts';
import type { Stack } from '../../scripts/stack/stack.ts';
import { allCommitted } from '../../scripts/stack/committed.ts';
import { PATIENCE_MS, until } from './until.ts';

const SIMULATED_MS = 3_600_000;

/**
 * Plays seeded shoppers against a stack while a test does something to it, waits until all of it is committed, and compares
 * the ledger with the lake, id by id, through the query server and through a bare read of the files.
 * @returns what is not as promised; empty when all is well
 */
export async function playAndCompare(
  stack: Stack,
  options: { seconds: number; rate: number; seed: number; meanwhile?: () => Promise<void> },
): Promise<{ ledger: Ledger; faults: string[] }> {
  const { seconds, rate, seed, meanwhile } = options;
  const access = await grantAccess({ nats: stack.nats, replicas: 1, shops: SHOPS, label: 'test' });
  const since = new Date();
  const ledger = createLedger();
  const sender = createSender({
    url: stack.ingestUrl,
    keyOf: access.keyOf,
    ledger,
    connections: 16,
    timeoutMs: 5_000,
    giveUpMs: PATIENCE_MS,
  });
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
  await until(async () => (await fetch(new URL('/readyz', stack.queryUrl))).ok);
  const connection = await openStream(stack.nats, 'NATS_URL');
  expect(await allCommitted(connection, { withinMs: PATIENCE_MS })).toBeUndefined();
  await connection.close();
  const faults = ledger.surprises.map(({ eventId, expected, got }) => `${eventId}: ${got} instead of ${expected}`);
  const client = createQueryClient(stack.queryUrl);
  for (const { tenantId } of SHOPS) {
    const rows = createLakeRows(client, access.tokenOf(tenantId), since);
    const refused = ledger.refused.get(tenantId) ?? new Map<string, number>();
    faults.push(...faultsOf('the query server', compare(tenantId, ledger, await rows.eventIds())));
    // A refused event has no id that tells a resend: a batch whose answer was lost is quarantined twice.
    if (meanwhile === undefined) faults.push(...quarantineFaults(tenantId, refused, await rows.quarantined()));
  }
  const tenantIds = SHOPS.map(({ tenantId }) => tenantId);
  const { comparisons } = await compareBare(stack, tenantIds, { ledger, since });
  return { ledger, faults: [...faults, ...comparisons.flatMap((found) => faultsOf('a bare read_parquet', found))] };
}
