import { shownLine } from '../runtime/plainText.ts';
import type { Reconciliation } from '../query/audit/reconcile.ts';
import { command, EXIT, UsageError, type Context } from './command.ts';
import { dateOption } from './date.ts';
import { withAudit } from './lakeAudit.ts';
import { requiredId } from './secrets.ts';
import { formatTable } from './table.ts';
import { requireTenants } from './tenant.ts';

const USAGE = `Usage: spor reconcile --tenant <id> (--date <date> | --from <date> --to <date>) [--json]

Compares accepted events with those in the lake, for UTC days of receipt:

  accepted = stored + duplicate + quarantined + erased + expired + pending

  accepted     acknowledged events, counted from the stream's messages while it holds them, else from the commits
  stored       rows of the data files of the table's newest version
  duplicate    dropped resends
  differing    those of them whose content is not that of the first event with their id (duplicate_differs)
  quarantined  accepted but unstorable events, counted from the quarantine's data files
  erased       removed on request
  expired      removed after their retention time
  pending      in the stream, not committed yet

Rejected events are compared with the quarantine's rows in the same way, in a table with the column "refused". A redriven event
counts on the day it was first received. Compaction and replay change nothing.

Commits of other tools that changed rows are listed as foreign, and so are the differences they explain.

Exit code 1 if the counts differ. Differences are listed by receipt, or by commit if the receipts are no longer known. Data files
that are missing or differ from the log are listed too.
`;

export const reconcileCommand = command({
  usage: USAGE,
  options: {
    tenant: { type: 'string' },
    date: { type: 'string' },
    from: { type: 'string' },
    to: { type: 'string' },
  },
  async run({ tenant, date, from, to, json }, _, context) {
    const tenantId = requiredId('--tenant', tenant);
    const days = daysOf({ date, from, to });
    await requireTenants(context, [tenantId]);
    const found = await withAudit(context, (audit) => audit.reconcile(tenantId, days));
    if (json) context.out(`${JSON.stringify(found)}\n`);
    else print(found, context);
    return found.balanced ? EXIT.done : EXIT.failed;
  },
});

const MOST_DAYS = 400;

function daysOf(given: { date?: string | undefined; from?: string | undefined; to?: string | undefined }): {
  from: string;
  to: string;
} {
  const { date } = given;
  const from = date ?? given.from;
  const to = date ?? given.to;
  if (from === undefined || to === undefined || (date !== undefined && (given.from ?? given.to) !== undefined)) {
    throw new UsageError('name the day with --date, or with --from and --to');
  }
  const days = { from: dateOption(date ? '--date' : '--from', from), to: dateOption(date ? '--date' : '--to', to) };
  const count = (Date.parse(days.to) - Date.parse(days.from)) / 86_400_000 + 1;
  if (count < 1 || count > MOST_DAYS)
    throw new UsageError(`--to must be --from or later, and at most ${MOST_DAYS} days`);
  return days;
}

function print(found: Reconciliation, { out }: Context): void {
  const {
    tenantId,
    versions,
    streamFrom,
    days,
    balanced,
    differences,
    differencesInAll,
    streamFault,
    foreign,
    faults,
  } = found;
  out(`${tenantId}, events at version ${versions.events}, quarantine at version ${versions.quarantine}\n`);
  if (streamFrom !== undefined) out(`counted from the stream itself: messages from ${streamFrom} on\n`);
  const columns = [
    'date',
    'accepted',
    'stored',
    'duplicate',
    'differing',
    'quarantined',
    'erased',
    'expired',
    'pending',
    'difference',
  ];
  const names = columns as (keyof (typeof days)[number])[];
  out(
    `\n${formatTable(
      columns,
      days.map((day) => names.map((name) => day[name])),
    )}`,
  );
  const refusedColumns = ['refused', 'kept', 'erased', 'expired', 'pending', 'difference'] as const;
  const refusedRows = days.map((day) => [day.date, ...refusedColumns.map((name) => day.refused[name])]);
  out(`\n${formatTable(['date', ...refusedColumns], refusedRows)}`);
  if (streamFault) out(`\n${shownLine(streamFault.message)}`);
  for (const { table, version, by, operation, addedFiles, removedFiles } of foreign) {
    const files = `${addedFiles} files added, ${removedFiles} removed`;
    out(`\n${shownLine(`version ${version} of ${table} is foreign: ${operation} by ${by}, ${files}`)}`);
  }
  for (const { file, fault } of faults) out(`\n${shownLine(`${file} ${fault}`)}`);
  for (const { date, receiptId, kind, table, events, message } of differences) {
    out(`\n${shownLine(`${date} ${receiptId ?? ''} ${events} ${kind} in ${table}: ${message}`)}`);
  }
  if (differencesInAll > differences.length) out(`\n… and ${differencesInAll - differences.length} more`);
  out(balanced ? '\nbalanced\n' : '\n\nNOT BALANCED\n');
}
