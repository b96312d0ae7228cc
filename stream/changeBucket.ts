import { Kvm, type KV } from '@nats-io/kv';
import type { ChangeLog, ChangeRecord } from '../schemas/change.ts';
import { CHANGES_BUCKET } from './buckets.ts';
import type { NatsConnection } from './nats.ts';

/** Changes of what the stream server holds, in a bucket of it. @throws Error if the server does not answer */
export async function openChangeBucket(connection: NatsConnection, replicas: number): Promise<ChangeLog> {
  const kv: KV = await new Kvm(connection).create(CHANGES_BUCKET, { history: 5, replicas });
  return {
    begin: async (record) => void (await kv.create(record.id, JSON.stringify(record))),
    end: async (record: ChangeRecord) => void (await kv.put(record.id, JSON.stringify(record))),
  };
}
