import type { Host } from './host.ts';

export interface TabLock {
  /** Run `work` while no other tab of this shop does. */
  hold(work: () => Promise<void>): Promise<unknown>;
  /** Release the lock at once, before the page enters the back/forward cache. */
  release(): void;
}

/**
 * A lock that gives the tabs of a shop one sender.
 *
 * The lock saves resends and keeps the order of events; their ids make them count once. Without Web Locks (plain http, Safari
 * before 15.4, frames without an own origin) each tab sends.
 */
export function createTabLock({ document, navigator }: Host, name: string): TabLock {
  let release = (): void => undefined;
  return {
    hold: (work) => {
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      const task = (): Promise<void> => Promise.race([work(), released]);
      return (document && navigator?.locks?.request(`spor.${name}`, task).catch(task)) ?? task();
    },
    release: () => release(),
  };
}
