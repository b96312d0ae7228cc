const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Signals this close together are one wish: npm passes on a Ctrl-C that the terminal has sent here already. */
const SAME_WISH_MS = 1_000;

/**
 * A signal that aborts when a person or the system asks this process to end. Asked twice, it ends at once; what it
 * supervises follows by itself then.
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

/** Why work was abandoned. */
export class InterruptedError extends Error {
  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`);
    this.name = 'InterruptedError';
  }
}
