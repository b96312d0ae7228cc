import { delay } from '../../runtime/retry.ts';
import type { SentBatch } from '../load/ledger.ts';
import { play } from '../load/player.ts';
import { createSender, type Sender } from '../load/sender.ts';
import { createRandom } from '../shop/random.ts';
import type { Shop } from '../shop/shops.ts';
import { simulate } from '../shop/simulation.ts';
import type { ChaosLedger } from './ledgerFile.ts';
import type { Cycle } from './plan.ts';

export interface LoadOptions {
  /** Base URLs of the receivers; each batch goes to one of them. */
  urls: readonly string[];
  keyOf: (tenantId: string, segmentId: string) => string;
  ledger: ChaosLedger;
  shops: readonly Shop[];
  cycle: Cycle;
  /** Acknowledged batches of earlier cycles to send again; the load adds its own. */
  acknowledged: SentBatch[];
  /** Ends the load; batches under way are still finished. */
  signal: AbortSignal;
}

const EVENTS_PER_SECOND = 400;
const BAD_SHARE = 0.06;
const BATCH_EVENTS = 8;
const CONNECTIONS = 16;
/** Timeout of a try, shorter than most faults. */
const TIMEOUT_MS = 2_500;
const PACE = 0.02;
const RESEND_AFTER_MS = 2_000;
const REMEMBERED = 300;

/**
 * Plays shops with some invalid events until the signal aborts.
 *
 * Some acknowledged batches are sent again, as by senders that lost the answer. Resolves when every batch is answered
 * or given up.
 */
export async function playLoad(options: LoadOptions): Promise<void> {
  const { cycle, ledger, signal, acknowledged } = options;
  const random = createRandom(cycle.loadSeed);
  const resends = new Set<Promise<void>>();
  const again = new Set<SentBatch>();
  const onAccepted = (batch: SentBatch): void => {
    if (again.has(batch)) return;
    acknowledged.push(batch);
    if (acknowledged.length > REMEMBERED) acknowledged.shift();
    if (random.chance(cycle.resendShare)) resend(batch, random.between(0, RESEND_AFTER_MS));
  };
  const { keyOf } = options;
  const sender = createChaosSender({ urls: options.urls, keyOf, ledger, giveUpMs: cycle.giveUpMs, onAccepted });
  const resend = (batch: SentBatch, afterMs: number): void => {
    again.add(batch);
    const sent = delay(afterMs, signal)
      .then(() => sender.send(batch))
      .finally(() => resends.delete(sent));
    resends.add(sent);
  };
  for (const batch of acknowledged.filter(() => random.chance(0.05))) resend(batch, random.between(0, RESEND_AFTER_MS));
  const startMs = Date.now();
  try {
    await play({
      events: simulate({
        seed: cycle.loadSeed,
        startMs,
        untilMs: Infinity,
        eventsPerSecond: EVENTS_PER_SECOND,
        badShare: BAD_SHARE,
        pace: PACE,
        shops: options.shops,
      }),
      sender,
      batchEvents: BATCH_EVENTS,
      connections: CONNECTIONS,
      clock: { startMs, speed: 1 },
      signal,
    });
    while (resends.size > 0) await Promise.all(resends);
  } finally {
    sender.close();
  }
}

export interface ChaosSenderOptions {
  urls: readonly string[];
  keyOf: (tenantId: string, segmentId: string) => string;
  ledger: ChaosLedger;
  giveUpMs: number;
  onAccepted?: (batch: SentBatch) => void;
}

/** Creates a sender to several receivers in turn; a resend may so go to another one than the first try. */
export function createChaosSender({ urls, ...options }: ChaosSenderOptions): Sender {
  const senders = urls.map((url) => createSender({ url, ...options, connections: CONNECTIONS, timeoutMs: TIMEOUT_MS }));
  let next = 0;
  return {
    send: (batch) => senders[next++ % senders.length]!.send(batch),
    close: () => senders.forEach((sender) => sender.close()),
  };
}
