import { jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { shardNumbers, streamName } from '../schemas/subjects.ts';
import { LEASES_BUCKET, PROGRESS_BUCKET, shardKey } from '../stream/buckets.ts';
import { readRecord, readText } from '../stream/readRecord.ts';
import { shardRange } from '../stream/shardCount.ts';
import { streamInfo } from '../stream/streamInfo.ts';
import { changeStream } from './changing.ts';
import { command, EXIT } from './command.ts';

const USAGE = `Usage: spor stream rewind [--json]

For a lake that is restored from an older copy, while the streams are kept. Forgets the committed positions, so that processors read
again all that the streams hold; each table skips what it has. Stop processors and query servers first, run this, put the lake in
place, and start them again. "spor reconcile" then says whether the streams reached back far enough.
`;

export const rewindCommand = command({
  usage: USAGE,
  options: {},
  async run({ json }, _, context) {
    const rewound = await changeStream(context, { action: 'stream.rewind' }, async (connection, { replicas }, note) => {
      const manager = await jetstreamManager(connection);
      const shards = shardNumbers(await shardRange(manager));
      const running: number[] = [];
      for (const shard of shards) {
        if (await readText(manager, { bucket: LEASES_BUCKET, key: shardKey(shard) })) running.push(shard);
      }
      if (running.length > 0) {
        throw new Error(
          `a processor owns shard ${running.join(', ')}: stop all processors, and wait for LEASE_SECONDS`,
        );
      }
      const kv = await new Kvm(connection).create(PROGRESS_BUCKET, { history: 1, replicas });
      const found: { stream: string; from: number | undefined }[] = [];
      for (const shard of shards) {
        if (await readRecord(manager, { bucket: PROGRESS_BUCKET, key: shardKey(shard) }))
          await kv.delete(shardKey(shard));
        const stream = streamName(shard);
        found.push({ stream, from: (await streamInfo(manager, stream))?.state.first_seq });
      }
      note({ after: found });
      return found;
    });
    if (json) context.out(`${JSON.stringify({ rewound })}\n`);
    else
      for (const { stream, from } of rewound) context.out(`${stream}: read again from message ${from ?? 'none'} on\n`);
    return EXIT.done;
  },
});
