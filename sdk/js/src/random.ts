import type { Host } from './host.ts';

/**
 * Draw a random number, from 0 up to, not including, 1.
 *
 * Two sources are added. Either may be absent or broken by the page, and the sum is still random.
 */
export function draw(host: Host): number {
  let sum = Math.random();
  try {
    sum += host.crypto!.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32;
  } catch {
    // Node 18 has no crypto here, and pages replace it.
  }
  return sum % 1 || 0;
}
