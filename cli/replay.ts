import { join } from 'node:path';
import { DEDUPE_HOURS } from '../lake/config.ts';
import { memorySize, readConfig, whole } from '../runtime/config.ts';
import { armFailPoint } from '../runtime/failpoint.ts';
import { createLog } from '../runtime/log.ts';
import { createRegistry } from '../schemas/registry.ts';
import { differs, type PartitionComparison } from './replay/compare.ts';
import { REPLAY_FAILPOINT } from './replay/failpoint.ts';
import type { ReplayReport } from './replay/replay.ts';
import { changeLake } from './changing.ts';
import { command, EXIT, UsageError, type Command, type Context } from './command.ts';
import { dateRange } from './date.ts';
import { republishTo } from './republish.ts';
import { replayUndoCommand } from './replayUndo.ts';
import { withScratch } from './scratch.ts';
import { requiredId } from './secrets.ts';
import { readEnvironment } from './settings.ts';
import { withStream } from './stream.ts';
import { requireTenants } from './tenant.ts';
import { formatTable } from './table.ts';
import { HOUR_MS } from '../runtime/units.ts';

const USAGE = `Usage: spor replay --tenant <id> --from <date> --to <date> [options]
       spor replay undo --tenant <id> [--id <replay>]
       spor replay --tenant <id> --from <date> --to <date> --to-subject <subject> --rate <n>

Rebuilds the partitions of these UTC dates from the stream with the code of the processor. Compares them with the lake row by row,
and replaces those that differ, in one commit for each table. You can run it beside running processors and readers, and interrupt
it. The old files stay until "spor vacuum"; until then "spor replay undo" restores them.

  --tenant <id>       the tenant
  --from, --to <date> first and last date, YYYY-MM-DD, both included
  --dry-run           only compare
  --accept-loss       also replace partitions with rows that the stream cannot rebuild
  --json

With --to-subject nothing is compared. The messages with accepted events that the stream stored on these dates are published again,
unchanged and in order, for a downstream service. The subject belongs to a stream of its own. Events of erased people are left
out and counted. You can interrupt it: the same command continues, and each message has the Nats-Msg-Id of its place in the stream.

  --to-subject <s>    target subject
  --rate <n>          events a second
  --restart           begin again from the start
`;

const WINDOW_BYTES = 64 * 1_048_576;

const SETTINGS = {
  memory: memorySize('DUCKDB_MEMORY', "DuckDB's memory limit", '1GiB'),
  dedupeHours: DEDUPE_HOURS,
  dedupeBytes: whole('DEDUPE_MAX_BYTES', 'memory for event ids', 256 * 1_048_576, 1_048_576),
  failPoint: REPLAY_FAILPOINT,
};

const swapDates = command({
  usage: USAGE,
  options: {
    tenant: { type: 'string' },
    from: { type: 'string' },
    to: { type: 'string' },
    'dry-run': { type: 'boolean' },
    'accept-loss': { type: 'boolean' },
    'to-subject': { type: 'string' },
    rate: { type: 'string' },
    restart: { type: 'boolean' },
  },
  async run(values, _, context) {
    const tenantId = requiredId('--tenant', values.tenant);
    const { from, to } = dateRange(values);
    if (from === undefined || to === undefined) throw new UsageError('say which dates with --from and --to');
    const subject = values['to-subject'];
    const misplaced = (subject === undefined ? ['rate', 'restart'] : ['dry-run', 'accept-loss']).find(
      (name) => values[name as keyof typeof values] !== undefined,
    );
    if (misplaced !== undefined)
      throw new UsageError(`--${misplaced} ${subject === undefined ? 'goes' : 'does not go'} with --to-subject`);
    if (subject !== undefined) return republishTo(context, { ...values, tenantId, from, to, subject });
    await requireTenants(context, [tenantId]);
    const dryRun = values['dry-run'] ?? false;
    const report = await run(context, { tenantId, from, to, dryRun, acceptLoss: values['accept-loss'] ?? false });
    if (values.json) context.out(`${JSON.stringify({ tenant: tenantId, from, to, dryRun, ...report })}\n`);
    else print(report, dryRun, context);
    return EXIT.done;
  },
});

export const replayCommand: Command = {
  run: (args, context) =>
    args[0] === 'undo' ? replayUndoCommand.run(args.slice(1), context) : swapDates.run(args, context),
};

interface Request {
  tenantId: string;
  from: string;
  to: string;
  dryRun: boolean;
  acceptLoss: boolean;
}

async function run(context: Context, request: Request): Promise<ReplayReport> {
  const config = readConfig(SETTINGS, readEnvironment(context).values);
  const { Engine } = await import('../lake/duckdb/engine.ts');
  const { replay: replayDates } = await import('./replay/replay.ts');
  const log = createLog('spor', 'warn');
  const { tenantId, from, to, dryRun, acceptLoss } = request;
  const about = `${from} to ${to}${acceptLoss ? ', accepting loss' : ''}`;
  return changeLake(context, dryRun ? undefined : { action: 'replay', tenantId, about }, (storage, note) =>
    withScratch(async (workDir) => {
      const engine = new Engine({ dir: join(workDir, 'engine'), memory: config.memory, threads: 2, log });
      try {
        const done = await withStream(context, (connection) =>
          replayDates({
            ...request,
            connection,
            storage,
            session: engine.session(),
            registry: createRegistry(),
            dedupe: { maxBytes: config.dedupeBytes, windowMs: config.dedupeHours * HOUR_MS },
            windowBytes: WINDOW_BYTES,
            dir: join(workDir, 'rebuilt'),
            reach: armFailPoint(config.failPoint),
            log,
            onProgress: ({ sequence, messages }) =>
              context.err(`read ${messages} messages, up to sequence ${sequence}\n`),
          }),
        );
        note({ after: { partitions: done.partitions.length, swapped: done.swapped ?? null } });
        return done;
      } finally {
        await engine.close();
      }
    }),
  );
}

function print({ partitions, swapped, ...range }: ReplayReport, dryRun: boolean, { out }: Context): void {
  if (partitions.length === 0) return out('Neither the lake nor the stream has events of these dates.\n');
  const columns = ['table', 'segment', 'date', 'lake', 'stream', 'only lake', 'only stream', 'changed', 'erased', ''];
  out(formatTable(columns, partitions.map(cells)));
  const different = partitions.filter(differs).length;
  out(`\n${range.stream}, messages ${range.firstSequence} to ${range.lastSequence}: `);
  if (different === 0) return out(`all ${partitions.length} partitions match the stream.\n`);
  if (!swapped) return out(`${different} of ${partitions.length} partitions differ${dryRun ? '' : ' still'}.\n`);
  const versions = Object.entries(swapped.versions).map(([table, version]) => `${table} version ${version}`);
  out(`${different} partitions swapped in ${versions.join(', ')}. "spor replay undo --id ${swapped.id}" undoes it.\n`);
}

function cells(compared: PartitionComparison): unknown[] {
  const { table, segment, date, lake, stream, onlyInLake, onlyInStream, changed, unreadable, ...rest } = compared;
  const state = unreadable === undefined ? (differs(compared) ? 'differs' : 'same') : `unreadable: ${unreadable}`;
  return [
    table,
    segment,
    date,
    lake.rows,
    stream.rows,
    onlyInLake,
    onlyInStream,
    changed,
    Math.max(rest.erased, rest.erasedInLake),
    state,
  ];
}
