import { isNear } from './clock.ts';
import type { Device } from './device.ts';
import type { Drop } from './drop.ts';

/** An event whose answer is not known yet. */
export interface Queued {
  /** `q` and the event's id, so names sort in the order of creation. */
  name: string;
  line: string;
  /** Instrumentation key under which the event was tracked. */
  key: string;
  /** Size in UTF-8. */
  bytes: number;
  /** Time of the first send, ms; 0 before. */
  tried: number;
  /** True if the event is on the device too. */
  stored: boolean | undefined;
  /** True if the event is in a request without an answer. */
  busy: boolean;
}

export interface Queue {
  /** Oldest first. */
  items(): Queued[];
  add(eventId: string, line: string): void;
  /** Record that a request sends these events. */
  begin(items: Queued[], time: number): void;
  remove(item: Queued): void;
  /** Empty the memory; the caller clears the device. @returns the removed events. */
  clear(): Queued[];
  /** Add stored events of other tabs and earlier pages. Remove those delivered by other tabs. */
  refresh(time: number): void;
}

/**
 * Time in which a resend is safe.
 *
 * The receiver recognises a resent event for 24 hours after the first copy.
 */
const RESEND_MS = 23 * 3_600_000;

/** Bytes of a text as UTF-8. */
export function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

/**
 * Create a queue in memory and, if possible, on the device.
 *
 * Each event has its own key (`q<eventId>` → [tried, line, instrumentation key]). Two tabs never write the same key, and one write costs the same at
 * any queue length.
 *
 * The key `m` marks the device as the tracker's. If `m` is gone, the shop has cleared the storage. The events in memory are
 * then written again, because no other tab has delivered them.
 */
export function createQueue(
  device: Device,
  settings: { instrumentationKey: string; maxQueueEvents: number; maxQueueBytes: number },
  drop: Drop,
): Queue {
  let items: Queued[] = [];

  const save = (item: Queued): void => {
    item.stored = device.save(item.name, [item.tried, item.line, item.key]);
  };
  const insert = (name: string, line: string, tried: number, key = settings.instrumentationKey): Queued => {
    const item = { name, line, key, bytes: byteLength(line), tried, stored: true, busy: false };
    items.push(item);
    return item;
  };
  const remove = (item: Queued): void => {
    items = items.filter((other) => other !== item);
    device.wipe(item.name);
  };
  /**
   * Drop unsafe resends, and the oldest events above the limits.
   *
   * Events in flight and the newest event stay.
   */
  const prune = (time?: number): void => {
    let bytes = 0;
    for (const item of items) bytes += item.bytes;
    for (const item of items.slice()) {
      if (item.busy) continue;
      const late = time && item.tried && !isNear(time, item.tried, RESEND_MS);
      const over =
        item !== items[items.length - 1] && (items.length > settings.maxQueueEvents || bytes > settings.maxQueueBytes);
      if (!late && !over) continue;
      bytes -= item.bytes;
      remove(item);
      drop(late ? 'unconfirmed' : 'overflow', item);
    }
  };

  return {
    items: () => items,
    add: (eventId, line) => {
      save(insert(`q${eventId}`, line, 0));
      prune();
    },
    begin: (batch, time) => {
      for (const item of batch) {
        item.busy = true;
        item.tried ||= time;
        if (item.stored) save(item);
      }
    },
    remove,
    clear: () => items.splice(0),
    refresh: (time) => {
      const ours = device.names('m')[0];
      const stored = new Set(device.names('q'));
      items = items.filter((item) => stored.delete(item.name) || !item.stored || !ours || item.busy);
      for (const item of items) if (!item.stored || !ours) save(item);
      if (!ours) device.save('m', []);
      for (const name of stored) {
        const [tried, line, key] = device.load<[number, string, string?]>(name) ?? [];
        if (line) insert(name, line, tried!, key);
      }
      items.sort((a, b) => (a.name < b.name ? -1 : 1));
      prune(time);
    },
  };
}
