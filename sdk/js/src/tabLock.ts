import type { Device } from './device.ts';
import type { Host } from './host.ts';

const LEASE_MS = 15_000;

export interface TabLock {
  /**
   * Runs `work` while no other tab of this shop does. Where tabs agree by lease and another has it, resolves to true at
   * once, without running it.
   */
  hold(work: () => Promise<void>): Promise<unknown>;
  /** Lets go at once, as a page that goes into the back/forward cache must. */
  release(): void;
}

/**
 * One sender among the tabs of a shop. It spares the receiver resent events and keeps their order; it is not what makes
 * them count once, that is their id. Web Locks where the browser has them (secure pages), else a lease on the device that
 * runs out by itself; without a device there is nothing to share.
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
      // Refused in frames without an origin of their own, which have nothing to share either.
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
