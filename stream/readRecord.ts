import type { JetStreamManager } from '@nats-io/jetstream';

/** JetStream's codes for a missing stream and a missing message. */
const ABSENT: readonly number[] = [10059, 10037];

/** A key of a KV bucket. */
interface Place {
  bucket: string;
  key: string;
}

/** Reads a JSON record of a KV bucket; undefined without the bucket or the key. Creates nothing. */
export async function readRecord<T>(manager: JetStreamManager, place: Place): Promise<T | undefined> {
  const text = await readText(manager, place);
  return text === undefined ? undefined : (JSON.parse(text) as T);
}

/** Reads a value of a KV bucket from its leader; undefined without the bucket or the key. */
export async function readText(manager: JetStreamManager, { bucket, key }: Place): Promise<string | undefined> {
  try {
    const message = await manager.streams.getMessage(`KV_${bucket}`, { last_by_subj: `$KV.${bucket}.${key}` });
    return message && message.data.length > 0 ? message.string() : undefined;
  } catch (error) {
    if (ABSENT.includes((error as { code?: number }).code ?? 0)) return undefined;
    throw error;
  }
}
