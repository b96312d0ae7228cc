import { MINUTE_MS } from '../../runtime/units.ts';
import { LakeError } from '../errors.ts';
import type { Storage } from './storage.ts';

/** Largest difference between two clocks at which anything is deleted, expired or promised. */
export const MOST_CLOCK_DIFFERENCE_MS = 15 * MINUTE_MS;

/** Reads the stream server's clock, in milliseconds since 1970; undefined if unknown. */
type StreamNow = () => Promise<number | undefined>;

/** Reads the store's present, once its clock agrees with the others. @throws as agreedNow */
export type Present = () => Promise<number>;

/** The present by each clock, in milliseconds since 1970. */
interface Clocks {
  host: number;
  store: number;
  /** Absent without a stream server. */
  stream?: number;
}

/**
 * Reads the clocks of this host, the store and the stream server.
 * @throws LakeError storage_unavailable, stream_unavailable
 */
async function readClocks(storage: Storage, streamNow?: StreamNow): Promise<Clocks> {
  const asked = streamNow?.().catch((cause: unknown) => {
    const message = 'The stream server did not tell its time, so the clocks cannot be compared.';
    throw new LakeError('stream_unavailable', message, { retryAfterSeconds: 5, cause });
  });
  const [store, stream] = await Promise.all([storage.now(), asked]);
  return { host: Date.now(), store, ...(stream === undefined ? {} : { stream }) };
}

/** Name the known clocks with their times if two of them differ too much; undefined if all agree. Pure. */
export function clockDifference({ host, store, stream }: Partial<Clocks>): string | undefined {
  const known = Object.entries({ host, store, stream }).filter(
    (entry): entry is [string, number] => entry[1] !== undefined && !Number.isNaN(entry[1]),
  );
  const times = known.map(([, ms]) => ms);
  if (Math.max(...times) - Math.min(...times) <= MOST_CLOCK_DIFFERENCE_MS) return undefined;
  return known.map(([name, ms]) => `${name} ${timeText(ms)}`).join(', ');
}

/**
 * The store's present, if all clocks agree.
 *
 * A deletion by one wrong clock cannot be undone, so it waits until the clocks are right.
 * @throws LakeError clocks_differ, with the time of each clock; storage_unavailable, stream_unavailable
 */
export async function agreedNow(storage: Storage, streamNow?: StreamNow): Promise<number> {
  const clocks = await readClocks(storage, streamNow);
  const difference = clockDifference(clocks);
  if (difference === undefined) return clocks.store;
  throw new LakeError(
    'clocks_differ',
    `The clocks differ by more than ${MOST_CLOCK_DIFFERENCE_MS / MINUTE_MS} minutes: ${difference}. ` +
      'Nothing is deleted or expired until they agree. Set the wrong one, for instance with NTP.',
  );
}

/** A reader of the present that compares the clocks at most once a minute. */
export function createPresent(storage: Storage, streamNow: StreamNow): Present {
  let comparedAt = -Infinity;
  let compared: Promise<number> = Promise.resolve(NaN);
  return async () => {
    if (performance.now() - comparedAt > MINUTE_MS) {
      comparedAt = performance.now();
      compared = agreedNow(storage, streamNow);
    }
    try {
      await compared;
    } catch (error) {
      comparedAt = -Infinity;
      throw error;
    }
    return storage.now();
  };
}

/** ISO 8601, or the number for a time that has no such form. */
function timeText(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString();
}
