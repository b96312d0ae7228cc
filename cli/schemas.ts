import { compareAndSetRecord } from '../stream/compareAndSet.ts';
import { incompatibilities, type UsedSchemas } from '../schemas/compatibility.ts';
import { SCHEMAS_BUCKET, SCHEMAS_KEY } from '../stream/buckets.ts';
import { createRegistry } from '../schemas/registry.ts';
import { schemaNames } from '../stream/usedSchemas.ts';
import { changeStream } from './changing.ts';
import { command, EXIT, UsageError } from './command.ts';

const USAGE = `Usage: spor schemas [accept] [--json]

Compares the event schemas of this version with those that the running environment last used. An Event Receiver or processor
with incompatible schemas ends at start. "accept" records the schemas of this version nevertheless: after a change that breaks
with senders on purpose, or to go back to an earlier version. Exit code 1 if they are incompatible.
`;

export const schemasCommand = command({
  usage: USAGE,
  options: {},
  positionals: ['accept?'],
  async run({ json }, [accept], context) {
    if (accept !== undefined && accept !== 'accept') throw new UsageError(`"${accept}" is not expected; try --help`);
    const registry = createRegistry();
    const here = registry.all.map(({ type, version }) => `${type} v${version}`);
    let used: UsedSchemas | undefined;
    const change = accept === undefined ? undefined : { action: 'schemas.accept', after: schemaNames(registry.all) };
    await changeStream(context, change, async (connection, { replicas }, note) => {
      await compareAndSetRecord<UsedSchemas | undefined>(
        connection,
        { bucket: SCHEMAS_BUCKET, key: SCHEMAS_KEY, replicas },
        (recorded) => {
          used = recorded;
          return accept ? registry.all : recorded;
        },
      );
      note({ before: used ? schemaNames(used) : null });
    });
    const faults = used === undefined ? [] : incompatibilities(used, registry);
    const inUse = used?.map(({ type, version }) => `${type} v${version}`);
    if (json) context.out(`${JSON.stringify({ here, inUse, faults, accepted: accept !== undefined })}\n`);
    else {
      context.out(`here    ${here.join(', ')}\nin use  ${inUse?.join(', ') ?? 'nothing is recorded yet'}\n`);
      for (const fault of faults) context.out(`  ${fault}\n`);
      if (accept) context.out('The schemas of this version are recorded.\n');
    }
    return faults.length === 0 || accept ? EXIT.done : EXIT.failed;
  },
});
