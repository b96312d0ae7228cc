import { readConfig, whole } from '../runtime/config.ts';
import { describeSetBack } from '../stream/incarnation.ts';
import type { carryOverAll } from './carryOver/run.ts';
import { changeStream } from './changing.ts';
import { command, EXIT, type Context } from './command.ts';
import { withLocalFiles } from './localFiles.ts';
import { readEnvironment } from './settings.ts';

const USAGE = `Usage: spor stream carry-over [--dry-run] [--json]

For streams whose store was set back, by a backup, volume or machine that was restored (stream_set_back). Receivers answer 503 and
processors stand still until this command has moved what such a stream holds, and the lake lacks, to a new stream of the same
name. Nothing is lost or stored twice. You can interrupt it: the same command continues.

It also compares each stream with the lake, and so finds one that nobody has noticed yet. It names messages that are neither in
the lake nor in the stream. "spor stream accept-loss" ends their mention.

  --dry-run  only say which streams are set back; exit code 1 if any is
  --json
`;

const SETTINGS = {
  maxBytes: whole('STREAM_MAX_BYTES', 'bytes a shard stream may hold', 2_147_483_648, 1_048_576),
};

type Carried = Awaited<ReturnType<typeof carryOverAll>>;

export const carryOverCommand = command({
  usage: USAGE,
  options: { 'dry-run': { type: 'boolean' } },
  async run({ json, 'dry-run': dryRun = false }, _, context) {
    const { maxBytes } = readConfig(SETTINGS, readEnvironment(context).values);
    const { carryOverAll: run } = await import('./carryOver/run.ts'); // slow to load: not for --help
    const change = dryRun ? undefined : { action: 'stream.carry-over' };
    const carried = await withLocalFiles(context, {}, ({ storage, localFiles }) =>
      changeStream(context, change, async (connection, { replicas }, note) => {
        const done = await run({ connection, storage, localFiles, replicas, maxBytes, dryRun, reach: () => undefined });
        note({ after: done.moved });
        return done;
      }),
    );
    if (json) context.out(`${JSON.stringify({ dryRun, ...carried })}\n`);
    else print(context, carried, dryRun);
    return dryRun && carried.found.length > 0 ? EXIT.failed : EXIT.done;
  },
});

function print({ out }: Context, { found, moved }: Carried, dryRun: boolean): void {
  if (found.length === 0) return out('No stream is set back.\n');
  if (dryRun) return found.forEach(({ stream, setBack }) => out(`${describeSetBack(stream, setBack)}\n`));
  for (const { stream, held, moved: messages, lost } of moved) {
    out(`${stream}: ${messages} of ${held} messages moved, the lake has the others\n`);
    if (lost)
      out(`${stream}: messages ${lost.from} to ${lost.to} may be lost: the lake lacks those that were not moved\n`);
  }
}
