import type { Device } from './device.ts';
import type { Host } from './host.ts';

const LEASE_MS = 15_000;

export interface TabLock {
  /**
   * Run `work` while no other tab of this shop does.
   *
   * With a lease, resolves to true at once if another tab holds it, without a run.
   */
  hold(work: () => Promise<void>): Promise<unknown>;
  /** Release the lease at once, before the page enters the back/forward cache. */
  release(): void;
}

/**
 * A lock that gives the tabs of a shop one sender.
 *
 * The lock saves resends and keeps the order of events; their ids make them count once. Browsers with Web Locks use those
 * (secure pages), others a lease on the device that expires. Without a device, tabs share no events.
 */
export function createTabLock(host: Host, device: Device, name: string): TabLock {
  const locks = host.navigator?.locks;
  let release = (): void => undefined;
  return {
    hold: async (work) => {
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      const task = (): Promise<void> => Promise.race([work(), released]);
      // Frames without an own origin have no locks, and share no events either.
      if (locks) return locks.request(name, task).catch(task);
      const [until = 0] = device.read<[number]>('l') ?? [];
      if (until > host.Date.now()) return true;
      device.write('l', [host.Date.now() + LEASE_MS]);
      await task();
      return device.erase('l');
    },
    release: () => release(),
  };
}
