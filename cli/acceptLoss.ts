import { jetstreamManager } from '@nats-io/jetstream';
import { changeStreamsRecord, mayBeMissing, readStreamsRecord } from '../stream/streamsRecord.ts';
import { changeStream } from './changing.ts';
import { command, EXIT } from './command.ts';

const USAGE = `Usage: spor stream accept-loss [--json]

Lists messages that left a stream before they were in the lake, and ends their mention. Until then completeness is unknown for the
tenants of their shards. Run it once the senders have sent again what they still have.
`;

export const acceptLossCommand = command({
  usage: USAGE,
  options: {},
  async run({ json }, _, context) {
    const lost = await changeStream(
      context,
      { action: 'stream.accept-loss' },
      async (connection, { replicas }, note) => {
        const record = await readStreamsRecord(await jetstreamManager(connection));
        if (!record || record.lost.length === 0) return [];
        await changeStreamsRecord(connection, { shards: record.shards, replicas }, (now) => ({ ...now, lost: [] }));
        note({ before: record.lost });
        return record.lost.filter(mayBeMissing);
      },
    );
    if (json) context.out(`${JSON.stringify({ accepted: lost })}\n`);
    else if (lost.length === 0) context.out('No loss is known.\n');
    else
      for (const { stream, after = 0, last, at } of lost)
        context.out(`${stream}: messages after ${after}${last === undefined ? '' : ` up to ${last}`}, noticed ${at}\n`);
    return EXIT.done;
  },
});
