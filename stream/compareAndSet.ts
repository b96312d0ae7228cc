import { Kvm } from '@nats-io/kv';
import { isCasConflict } from './casConflict.ts';
import type { NatsConnection } from './nats.ts';

export interface RecordPlace {
  bucket: string;
  key: string;
  replicas: number;
}

/**
 * Updates a shared record by compare-and-set.
 *
 * After a conflict the record is read and decided again. An unchanged value is not written.
 * @param decide returns the new value for the recorded one; undefined or an error leaves the record as it is
 */
export async function compareAndSetRecord<T>(
  connection: NatsConnection,
  { bucket, key, replicas }: RecordPlace,
  decide: (recorded: T | undefined) => T | undefined,
): Promise<void> {
  const kv = await new Kvm(connection).create(bucket, { history: 5, replicas });
  for (;;) {
    const entry = await kv.get(key);
    const there = entry?.operation === 'PUT' ? entry : undefined;
    const decided = decide(there?.json<T>());
    if (decided === undefined) return;
    const text = JSON.stringify(decided);
    if (there?.string() === text) return;
    try {
      // A deleted key has a revision too.
      if (entry) await kv.update(key, text, entry.revision);
      else await kv.create(key, text);
      return;
    } catch (error) {
      if (!isCasConflict(error)) throw error;
    }
  }
}
