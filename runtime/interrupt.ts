const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Signals within this time count as one: npm repeats the Ctrl-C of the terminal. */
const SAME_WISH_MS = 1_000;

/**
 * A signal that aborts when this process is asked to end.
 * A second request ends the process at once; supervised processes end when they lose it.
 */
export function interruption(): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  let askedAt: number | undefined;
  const onSignal = (name: NodeJS.Signals): void => {
    askedAt ??= performance.now();
    if (performance.now() - askedAt > SAME_WISH_MS) process.exit(130);
    controller.abort(new InterruptedError(name));
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    signal: controller.signal,
    release: () => {
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}

/** The reason of an aborted signal: which signal came. */
export class InterruptedError extends Error {
  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`);
    this.name = 'InterruptedError';
  }
}
