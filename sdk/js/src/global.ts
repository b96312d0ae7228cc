import { createTracker } from './tracker.ts';

type Callback = (spor: Spor) => void;
interface Spor {
  createTracker: typeof createTracker;
  /** Runs the callback at once; before this script has loaded, `spor` is a plain list, and it runs then. */
  push: (callback: Callback) => void;
}

const host = globalThis as unknown as { spor?: Spor | Callback[] };
const early = host.spor as { forEach?: Callback[]['forEach'] } | undefined;
const spor: Spor = (host.spor = { createTracker, push: (callback: Callback) => callback(spor) });
early?.forEach?.((callback) => callback(spor));
