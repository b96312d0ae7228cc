import type { NatsConnection } from '../../stream/nats.ts';
import { delay } from '../../runtime/retry.ts';
import type { StepEvent } from './fault.ts';

/** Subjects on which each step shows (schemas/subjects.ts, processor). */
export const STEP_SUBJECTS: Record<StepEvent, string> = {
  publish: 'events.>',
  lease: '$KV.spor_leases.shard.*',
  intent: '$KV.spor_intents.shard.*',
  acknowledge: '$KV.spor_progress.shard.*',
};

export interface StepEvents {
  /** Waits for the nth event of a step from now on; undefined after the time. */
  next: (sign: StepEvent, count: number, withinMs: number) => Promise<{ shard: number } | undefined>;
  /** Pid of the last processor to claim or renew a shard's lease. */
  ownerPid: (shard: number) => number | undefined;
}

/**
 * Watches the services' steps at the stream server.
 *
 * Every step that matters writes there, and a plain subscription sees the write at once.
 */
export function watchStepEvents(connection: NatsConnection): StepEvents {
  const owners = new Map<number, number>();
  const waiting = new Set<{ sign: StepEvent; left: number; seen: (shard: number) => void }>();
  for (const [sign, subject] of Object.entries(STEP_SUBJECTS) as [StepEvent, string][]) {
    connection.subscribe(subject, {
      callback: (error, message) => {
        if (error) return;
        const shard = Number(message.subject.split('.')[sign === 'publish' ? 1 : 3]);
        // A processor's id is <host>-<pid>-<random>.
        const pid = sign === 'lease' ? Number(message.string().split('-').at(-2)) : NaN;
        if (pid > 1) owners.set(shard, pid);
        for (const wait of waiting) if (wait.sign === sign && --wait.left === 0) wait.seen(shard);
      },
    });
  }
  return {
    ownerPid: (shard) => owners.get(shard),
    async next(sign, count, withinMs) {
      const given = new AbortController();
      let found: { shard: number } | undefined;
      const wait = {
        sign,
        left: count,
        seen: (shard: number) => {
          found = { shard };
          given.abort();
        },
      };
      waiting.add(wait);
      await delay(withinMs, given.signal);
      waiting.delete(wait);
      return found;
    },
  };
}
