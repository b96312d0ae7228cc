import { setTimeout as sleep } from 'node:timers/promises';
import {
  describeExit,
  lastLines,
  startChild,
  type StackProcess,
  type ChildSpec,
  type Exit,
  type Facts,
} from './child.ts';

export interface SuperviseOptions {
  /** Whether to restart it when it ends; otherwise `onCrash` is called. */
  restart: boolean;
  log: (line: string) => void;
  onCrash: (name: string, reason: string) => void;
  /** Called after each start, the first included. */
  onStart?: (child: StackProcess) => void;
  /** Called after each unexpected end, before a restart. */
  onEnd?: (facts: Facts) => Promise<void>;
}

export interface Supervised {
  readonly name: string;
  /** Undefined while it is down. */
  readonly pid: number | undefined;
  /** Facts of the latest start. */
  readonly facts: Facts;
  stop: () => Promise<void>;
}

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 15_000;
/** Length of a good run, after which waits begin short again. */
const GOOD_RUN_MS = 60_000;

/**
 * Starts a child and watches it.
 *
 * Its states are *up* until it ends, *waiting* before the next start, *starting*, and *stopped*. Each wait is twice as
 * long as the last. `stop` leads from any state to *stopped*, for good.
 * @throws Error if the first start fails
 */
export async function supervise(spec: ChildSpec, options: SuperviseOptions): Promise<Supervised> {
  const stopping = new AbortController();
  let child: StackProcess | undefined = await startChild(spec);
  let facts = child.facts;
  options.onStart?.(child);
  const watching = watch(child);

  async function watch(first: StackProcess): Promise<void> {
    let current = first;
    let waitMs = FIRST_WAIT_MS;
    while (true) {
      const startedAt = performance.now();
      const exit = await current.exited;
      child = undefined;
      if (stopping.signal.aborted) return;
      await options.onEnd?.(facts);
      if (!options.restart) return options.onCrash(spec.name, await reason(exit));
      if (performance.now() - startedAt > GOOD_RUN_MS) waitMs = FIRST_WAIT_MS;
      options.log(`${spec.name} ${describeExit(exit)}; restarting it`);
      const next = await startAgain(waitMs);
      if (!next) return;
      current = next.child;
      waitMs = next.waitMs;
    }
  }

  async function startAgain(firstWaitMs: number): Promise<{ child: StackProcess; waitMs: number } | undefined> {
    for (let waitMs = firstWaitMs; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
      await sleep(waitMs, undefined, { signal: stopping.signal }).catch(() => undefined); // stop ends the wait
      if (stopping.signal.aborted) return undefined;
      try {
        const started = await startChild(spec, facts);
        if (stopping.signal.aborted) {
          await started.stop();
          return undefined;
        }
        child = started;
        facts = started.facts;
        options.onStart?.(started);
        return { child: started, waitMs: Math.min(waitMs * 2, LONGEST_WAIT_MS) };
      } catch (error) {
        options.log((error as Error).message);
      }
    }
  }

  async function reason(exit: Exit): Promise<string> {
    return `${describeExit(exit)}. Its last log lines (${spec.logFile}):\n${await lastLines(spec.logFile)}`;
  }

  return {
    name: spec.name,
    get pid() {
      return child?.pid;
    },
    get facts() {
      return facts;
    },
    async stop() {
      stopping.abort();
      await child?.stop();
      await watching;
    },
  };
}
