import type { Device } from './device.ts';
import type { Drop } from './drop.ts';

/** An event whose answer is not known yet. */
export interface Queued {
  /** `q` and the event's id: names sort in the order events were made. */
  name: string;
  line: string;
  /** Of UTF-8. */
  bytes: number;
  /** When it was first sent, ms; 0 before. */
  tried: number;
  /** Whether it lies on the device too. */
  stored: boolean | undefined;
  /** Whether it is in a request that has no answer yet. */
  busy: boolean;
}

export interface Queue {
  /** Oldest first. */
  items(): Queued[];
  add(eventId: string, line: string): void;
  /** Notes that events go on the wire. */
  begin(items: Queued[], time: number): void;
  remove(item: Queued): void;
  /** Empties the memory; the device is wiped by whoever asks for this. @returns what was there. */
  clear(): Queued[];
  /** Takes in what other tabs and earlier pages stored, and forgets what other tabs have delivered. */
  refresh(time: number): void;
}

/** The receiver recognises a resent event for 24 hours after it first came; later it could count twice. */
const RESEND_MS = 23 * 3_600_000;

/** Bytes of a text as UTF-8. */
export function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

/**
 * Events in memory and, when possible, on the device, each under a key of its own (`q<eventId>` → [tried, line]), so that
 * tabs never write the same key and storing one event costs the same however many wait. The key `m` marks the device as
 * ours: when it is gone the shop has cleared the storage, and what memory holds is written anew rather than taken for
 * delivered by another tab.
 */
export function createQueue(
  device: Device,
  limits: { maxQueueEvents: number; maxQueueBytes: number },
  drop: Drop,
): Queue {
  let items: Queued[] = [];

  const save = (item: Queued): void => {
    item.stored = device.write(item.name, [item.tried, item.line]);
  };
  const insert = (name: string, line: string, tried: number): Queued => {
    const item = { name, line, bytes: byteLength(line), tried, stored: true, busy: false };
    items.push(item);
    return item;
  };
  const remove = (item: Queued): void => {
    items = items.filter((other) => other !== item);
    device.erase(item.name);
  };
  /** Gives up what must not be sent again, and the oldest while there is too much; never what is in flight or newest. */
  const prune = (time: number): void => {
    let bytes = 0;
    for (const item of items) bytes += item.bytes;
    for (const item of items.slice()) {
      if (item.busy) continue;
      const late = item.tried && time - item.tried > RESEND_MS;
      const over =
        item !== items[items.length - 1] && (items.length > limits.maxQueueEvents || bytes > limits.maxQueueBytes);
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
      prune(0);
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
      if (!ours) device.write('m', []);
      for (const name of stored) {
        const [tried, line] = device.read<[number, string]>(name) ?? [];
        if (line) insert(name, line, tried!);
      }
      items.sort((a, b) => (a.name < b.name ? -1 : 1));
      prune(time);
    },
  };
}
