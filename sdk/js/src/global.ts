import { createTracker } from './tracker.ts';

type Callback = (spor: Spor) => void;
interface Spor {
  createTracker: typeof createTracker;
  /**
   * Run the callback at once.
   *
   * Before this script loads, `spor` is a plain list, and its callbacks run on load.
   */
  push: (callback: Callback) => void;
}

const host = globalThis as unknown as { spor?: Spor | Callback[] };
const early = host.spor as { forEach?: Callback[]['forEach'] } | undefined;
const spor: Spor = (host.spor = { createTracker, push: (callback: Callback) => callback(spor) });
early?.forEach?.((callback) => callback(spor));
