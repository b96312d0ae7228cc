import { delay } from '../../runtime/retry.ts';
import { startChild, type StackProcess, type ChildSpec, type Facts } from '../stack/child.ts';

/** One process that is restarted whenever it ends. */
export interface KeptRunning {
  /** Undefined while it is down. */
  child: StackProcess | undefined;
  /** Facts of the latest start. */
  facts: Facts;
  /** Number of starts. */
  starts: number;
  /** Ends it by `end`, runs a task while it is down, and starts it again. */
  whileDown: (end: () => void, task: () => Promise<void>) => Promise<void>;
  stop: () => Promise<void>;
}

const RESTART_MS = 50;
const POLL_MS = 20;

/**
 * Starts a process, and restarts it at once whenever it ends.
 *
 * A growing wait would make the cycles long.
 */
export async function keepRunning(
  spec: ChildSpec,
  {
    log,
    onStart,
    onEnd,
  }: { log: (line: string) => void; onStart: () => void; onEnd?: (facts: Facts) => Promise<void> },
): Promise<KeptRunning> {
  const stopping = new AbortController();
  const first = await startChild(spec);
  /** Keeps the process down while it is pending. */
  let hold: { task: Promise<void>; down: () => void } | undefined;
  const kept: KeptRunning = {
    child: first,
    facts: first.facts,
    starts: 1,
    async whileDown(end, task) {
      while (!kept.child && !stopping.signal.aborted) await delay(POLL_MS);
      const isDown = Promise.withResolvers<void>();
      const isDone = Promise.withResolvers<void>();
      hold = { task: isDone.promise, down: isDown.resolve };
      const before = kept.starts;
      end();
      try {
        await isDown.promise;
        await task();
      } finally {
        hold = undefined;
        isDone.resolve();
      }
      while (kept.starts === before && !stopping.signal.aborted) await delay(POLL_MS);
    },
    async stop() {
      stopping.abort();
      await kept.child?.stop();
      await watching;
    },
  };
  const watching = watch();

  async function watch(): Promise<void> {
    while (true) {
      await kept.child?.exited;
      kept.child = undefined;
      if (!stopping.signal.aborted) await onEnd?.(kept.facts);
      hold?.down();
      if (stopping.signal.aborted) return;
      await hold?.task;
      await delay(RESTART_MS, stopping.signal);
      if (stopping.signal.aborted) return;
      try {
        const child = await startChild(spec, kept.facts);
        Object.assign(kept, { child, facts: child.facts, starts: kept.starts + 1 });
        if (stopping.signal.aborted) await child.stop();
        else onStart();
      } catch (error) {
        log((error as Error).message);
      }
    }
  }
  return kept;
}
