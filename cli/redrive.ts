import { DEDUPE_HOURS } from '../lake/config.ts';
import { UNATTRIBUTED } from '../stream/message.ts';
import { readConfig } from '../runtime/config.ts';
import { createRegistry } from '../schemas/registry.ts';
import { parseFix } from './redrive/fix.ts';
import { redrive as redriveRows, type RedriveOutcome, type RedriveReport } from './redrive/redrive.ts';
import { changeStream } from './changing.ts';
import { command, EXIT, UsageError, type Context } from './command.ts';
import { parseDuration } from './duration.ts';
import { FILTER, FILTER_USAGE, limitOf, withQuarantine } from './quarantineFilter.ts';
import { requiredId } from './secrets.ts';
import { readEnvironment } from './settings.ts';
import { formatTable } from './table.ts';
import { HOUR_MS } from '../runtime/units.ts';

const USAGE = `Usage: spor quarantine redrive --tenant <id> [--fix <patch or SQL>] [--dry-run] [options]

Takes rejected events, applies the fix, judges them by the rules of the Event Receiver, and publishes those that are accepted
now. They come into the lake exactly once, with the times of their first receipt. Repeating it changes nothing. Events that are
rejected again stay in the quarantine.

  --fix <patch or SQL>     a JSON Patch (RFC 6902), or an SQL expression of DuckDB over "raw", the event's JSON
  --dry-run                only show the result
  --accept-old             accept events that were too old when they were received
  --new-ids                give an eventId to events without a valid one, the same each time
${FILTER_USAGE}
  --limit <n>              limit of rows to read (default 10000)
  --wait <duration>        longest wait until they are in the lake (default 60s)
  --json

  spor quarantine redrive --tenant demo-shop --code field_unknown --fix '[{"op":"move","from":"/qty","path":"/quantity"}]'
  spor quarantine redrive --tenant demo-shop --code field_missing --fix "json_merge_patch(raw, '{\\"currency\\":\\"DKK\\"}')"
`;

export const redriveCommand = command({
  usage: USAGE,
  options: {
    ...FILTER,
    fix: { type: 'string', verbatim: true },
    'dry-run': { type: 'boolean' },
    'accept-old': { type: 'boolean' },
    'new-ids': { type: 'boolean' },
    wait: { type: 'string' },
  },
  async run(values, _, context) {
    const tenantId = requiredId('--tenant', values.tenant);
    if (tenantId === UNATTRIBUTED.tenantId) {
      throw new UsageError(
        `${tenantId} holds messages without a tenant, which cannot be redriven: look at them with ` +
          '"spor quarantine show", and send their events again with a key of the tenant',
      );
    }
    const fix = values.fix === undefined ? undefined : parseFix(values.fix);
    if (values['dry-run'] && values.wait !== undefined) throw new UsageError('--wait does not go with --dry-run');
    const limit = limitOf(values, 10_000);
    const waitMs = parseDuration('--wait', values.wait ?? '60s', { zero: true });
    const { dedupeHours } = readConfig({ dedupeHours: DEDUPE_HOURS }, readEnvironment(context).values);
    const { Judge } = await import('../ingest/events/judge.ts');
    const { openRedriveStream } = await import('./redrive/publish.ts');
    const run = (stream: Awaited<ReturnType<typeof openRedriveStream>> | undefined): Promise<RedriveReport> =>
      withQuarantine(values, context, (ask, filter) =>
        redriveRows(ask, {
          judge: new Judge(createRegistry()),
          fix,
          acceptOld: values['accept-old'] ?? false,
          newIds: values['new-ids'] ?? false,
          filter,
          limit,
          dedupeMs: dedupeHours * HOUR_MS,
          stream,
          waitMs,
        }),
      );
    const report = values['dry-run']
      ? await run(undefined)
      : await changeStream(context, { action: 'redrive', tenantId }, async (connection, settings, note) => {
          const done = await run(await openRedriveStream(connection, tenantId, settings));
          note({ after: done.counts });
          return done;
        });
    if (values.json) context.out(`${JSON.stringify({ tenant: tenantId, ...report })}\n`);
    else print(report, context);
    return EXIT.done;
  },
});

const WORDS: Record<RedriveOutcome, string> = {
  redriven: 'redriven, in the lake now',
  published: 'published, not in the lake yet ("spor status" shows the backlog; events of erased people are dropped)',
  acceptable: 'would be redriven',
  redrivenBefore: 'redriven before',
  storedAlready: 'in the lake already, resent by the shop',
  refused: 'rejected again',
  skipped: 'cannot be judged',
};

function print({ counts, events, more }: RedriveReport, { out, err }: Context): void {
  for (const [outcome, word] of Object.entries(WORDS)) {
    const count = counts[outcome as RedriveOutcome];
    if (count > 0) out(`${String(count).padStart(8)}  ${word}\n`);
  }
  if (Object.values(counts).every((count) => count === 0)) out('No rejected event matches these options.\n');
  const left = events.filter(({ outcome }) => outcome === 'refused' || outcome === 'skipped');
  const reasons = [
    ...Map.groupBy(left, ({ refusedWith, message }) => `${refusedWith ?? ''}\n${message ?? ''}`).values(),
  ];
  if (reasons.length > 0) {
    const rows = reasons.map((alike) => {
      const { refusedWith, message, receiptId, index } = alike[0]!;
      return [alike.length, refusedWith ?? '—', message, `${receiptId}/${index ?? ''}`];
    });
    out(`\n${formatTable(['events', 'code', 'why', 'for instance'], rows.slice(0, 20))}`);
  }
  if (more) err('spor: there are more rows than --limit; raise it, or narrow by date or code\n');
}
