import type { NatsConnection } from '../../stream/nats.ts';
import { delay } from '../../runtime/retry.ts';
import type { StepEvent } from './plan.ts';

/** Where each step shows: the subjects on which it is written (schemas/subjects.ts, processor/shards, processor/commit). */
const SUBJECTS: Record<StepEvent, string> = {
  publish: 'events.>',
  lease: '$KV.spor_leases.shard.*',
  intent: '$KV.spor_intents.shard.*',
  acknowledge: '$KV.spor_progress.shard.*',
};

export interface StepEvents {
  /** Waits for the nth sign of a step from now on; undefined when it does not come in time. */
  next: (sign: StepEvent, count: number, withinMs: number) => Promise<{ shard: number } | undefined>;
  /** Pid of the processor that was last seen to take or keep a shard. */
  ownerPid: (shard: number) => number | undefined;
}

/**
 * Watches the services at work from outside: every step that matters writes to the stream server, and a plain subscription
 * hears of it in the same moment as the server does.
 */
export function watchStepEvents(connection: NatsConnection): StepEvents {
  const owners = new Map<number, number>();
  const waiting = new Set<{ sign: StepEvent; left: number; seen: (shard: number) => void }>();
  for (const [sign, subject] of Object.entries(SUBJECTS) as [StepEvent, string][]) {
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
