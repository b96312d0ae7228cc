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
  stop: () => Promise<void>;
}

const RESTART_MS = 50;

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
  const kept: KeptRunning = {
    child: first,
    facts: first.facts,
    starts: 1,
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
      if (stopping.signal.aborted) return;
      await onEnd?.(kept.facts);
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
