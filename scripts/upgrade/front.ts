import { delay } from '../../runtime/retry.ts';

const LOOK_MS = 100;
const ANSWER_MS = 1_000;

/** Chooses receivers in turn, as a proxy does that looks at `/readyz`. */
export function startFront(urls: readonly string[]): { next: () => string; stop: () => void } {
  const stopped = new AbortController();
  let ready = [...urls];
  let turn = 0;
  const isReady = async (url: string): Promise<boolean> => {
    const signal = AbortSignal.timeout(ANSWER_MS);
    return fetch(`${url}/readyz`, { signal }).then(
      ({ ok }) => ok,
      () => false, // down or starting
    );
  };
  const look = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      const states = await Promise.all(urls.map(isReady));
      ready = urls.filter((_, index) => states[index]);
      await delay(LOOK_MS, stopped.signal);
    }
  };
  void look(); // throws nothing
  return {
    // Without a ready one, any may be tried.
    next: () => (ready.length > 0 ? ready : urls)[turn++ % (ready.length || urls.length)]!,
    stop: () => stopped.abort(),
  };
}
