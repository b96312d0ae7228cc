import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { delay } from '../runtime/retry.ts';
import { shardNumbers, streamName, type ShardRange } from '../schemas/subjects.ts';
import { streamInfo } from '../stream/streamInfo.ts';
import {
  changeStreamsRecord,
  rangeAfter,
  rangeOf,
  readStreamsRecord,
  type StreamsRecord,
} from '../stream/streamsRecord.ts';
import { changeStream } from './changing.ts';
import { command, EXIT, group, UsageError, type Context } from './command.ts';
import { parseDuration } from './duration.ts';
import { numberOption } from './number.ts';
import { withStream } from './stream.ts';

const POLL_MS = 200;
const MOST_SHARDS = 1_024;

const list = command({
  usage: `Usage: spor shards list [--json]

Shows the shards in use, those that a growth has closed, and a growth under way.
`,
  options: {},
  async run({ json }, _, context) {
    const record = await withStream(context, async (connection) => mustHave(await jetstreamManager(connection)));
    const { growth, before = [] } = record;
    if (json) context.out(`${JSON.stringify({ ...rangeOf(record), before, growth })}\n`);
    else {
      context.out(`in use  ${names(rangeOf(record))}\n`);
      for (const range of before) context.out(`closed  ${names(range)}\n`);
      if (growth)
        context.out(`wanted  ${growth.shards} shards${growth.waitsFor ? `, waits for ${growth.waitsFor}` : ''}\n`);
    }
    return EXIT.done;
  },
});

const grow = command({
  usage: `Usage: spor shards grow <number> [--wait <time>] [--json]

Gives the tenants a new, larger set of shards, so that more processors can work. Services go on meanwhile. Senders wait some
seconds for their 202. Processors do the work, and finish it after a crash of any part, and after this command has ended.

The rights must cover the new streams. Run "spor access init --shards <number>" first, with the number that this command
names, and let nats-server read them again. Set SPOR_SHARDS to the new number afterwards.

  --wait <time>   how long to wait for the end, such as 10m (default 5m); 0s: do not wait
`,
  options: { wait: { type: 'string' } },
  positionals: ['number'],
  async run({ wait, json }, [text = ''], context) {
    const shards = numberOption('<number>', text, { min: 1, max: MOST_SHARDS });
    const waitMs = wait === '0s' ? 0 : parseDuration('--wait', wait ?? '5m');
    const next = await changeStream(context, { action: 'shards.grow' }, async (connection, { replicas }, note) => {
      const manager = await jetstreamManager(connection);
      const seen = await mustHave(manager);
      if (shards <= seen.shards)
        throw new UsageError(`there are ${seen.shards} shards already, and their number can only grow`);
      const range = rangeAfter(seen, shards);
      if (range.first + range.shards > MOST_SHARDS)
        throw new UsageError(
          `streams are numbered up to ${MOST_SHARDS - 1}: these would end at ${range.first + range.shards - 1}`,
        );
      const at = new Date(context.now()).toISOString();
      await changeStreamsRecord(connection, { shards: seen.shards, replicas }, (now) => {
        if (rangeOf(now).first !== rangeOf(seen).first || now.growth?.closing)
          throw new Error('another growth is under way: wait for its end, and look with "spor shards list"');
        return { ...now, growth: { shards, at } };
      });
      note({ before: rangeOf(seen), after: range });
      return range;
    });
    context.err(`The new streams are ${names(next)}. The rights must cover ${next.first + next.shards} streams.\n`);
    const done = await withStream(context, async (connection) =>
      untilGrown(await jetstreamManager(connection), next, { waitMs, context }),
    );
    if (json) context.out(`${JSON.stringify({ grown: done, shards })}\n`);
    else
      context.out(
        done
          ? `There are ${shards} shards now. Set SPOR_SHARDS=${shards}.\n`
          : 'The growth goes on without this command.\n',
      );
    return done || waitMs === 0 ? EXIT.done : EXIT.failed;
  },
});

const removeClosed = command({
  usage: `Usage: spor shards remove-closed [--older-than <time>] [--json]

Deletes streams that a growth has closed, with their messages. All of these are in the lake. A replay from them is not
possible afterwards.

  --older-than <time>   only if their last message is older (default 72h)
`,
  options: { 'older-than': { type: 'string' } },
  async run(values, _, context) {
    const olderMs = parseDuration('--older-than', values['older-than'] ?? '72h');
    const removed = await changeStream(
      context,
      { action: 'shards.remove-closed' },
      async (connection, _settings, note) => {
        const manager = await jetstreamManager(connection);
        const found: string[] = [];
        for (const shard of ((await mustHave(manager)).before ?? []).flatMap(shardNumbers)) {
          const info = await streamInfo(manager, streamName(shard));
          if (!info?.config.sealed) continue;
          const isOld = info.state.messages === 0 || context.now() - Date.parse(info.state.last_ts) > olderMs;
          if (isOld && (await manager.streams.delete(info.config.name))) found.push(info.config.name);
        }
        note({ before: found });
        return found;
      },
    );
    if (values.json) context.out(`${JSON.stringify({ removed })}\n`);
    else context.out(removed.length === 0 ? 'There is nothing to remove.\n' : `Removed ${removed.join(', ')}.\n`);
    return EXIT.done;
  },
});

/** The number of shards, and how it grows. */
export const shardsCommand = group(
  `Usage: spor shards list|grow|remove-closed [options]

  list           the shards in use, and a growth under way
  grow           more shards, while everything runs
  remove-closed  delete the streams of before, whose events are in the lake
`,
  { list, grow, 'remove-closed': removeClosed },
);

async function mustHave(manager: JetStreamManager): Promise<StreamsRecord> {
  const record = await readStreamsRecord(manager);
  if (record) return record;
  throw new Error('there are no streams yet: start an Event Receiver or a processor first');
}

/** Waits until the record names a range; false when the time is up. */
async function untilGrown(
  manager: JetStreamManager,
  next: ShardRange,
  { waitMs, context }: { waitMs: number; context: Context },
): Promise<boolean> {
  const deadline = performance.now() + waitMs;
  let said: string | undefined;
  for (;;) {
    const record = await mustHave(manager);
    if (rangeOf(record).first >= next.first) return true;
    if (performance.now() > deadline) return false;
    const waitsFor = record.growth?.waitsFor;
    if (waitsFor !== undefined && waitsFor !== said) context.err(`spor: waiting for ${waitsFor}\n`);
    said = waitsFor;
    await delay(POLL_MS);
  }
}

function names({ first, shards }: ShardRange): string {
  return shards === 1 ? streamName(first) : `${streamName(first)} to ${streamName(first + shards - 1)}`;
}
