import type { EventOutcome, ReceiptAnswer } from '../query/audit/receipt.ts';
import { command, EXIT, type Context } from './command.ts';
import { withAudit } from './lakeAudit.ts';
import { requiredId } from './secrets.ts';
import { formatTable } from './table.ts';
import { requireTenants } from './tenant.ts';

const USAGE = `Usage: spor receipt --tenant <id> <receipt> [--json]

Shows the state of each event of the batch that a receipt names:

  accepted     acknowledged, not committed to the lake yet
  committed    a row of the named file
  duplicate    its id was stored before, in the named file if the lake still has it; duplicate_differs: with other content
  quarantined  rejected or unstorable, with the reason
  erased       removed on request
  missing      in no table, which is a fault: see "spor reconcile"

If the stream no longer holds the batch, the answer lists only its events in the lake.
Exit code 1 if an event is missing, or the receipt is unknown for this tenant.
`;

export const receiptCommand = command({
  usage: USAGE,
  options: { tenant: { type: 'string' } },
  positionals: ['receipt'],
  async run({ tenant, json }, [id], context) {
    const tenantId = requiredId('--tenant', tenant);
    await requireTenants(context, [tenantId]);
    const answer = await withAudit(context, (audit) => audit.receipt(id!, { tenantId, segmentIds: [] }));
    if (json) context.out(`${JSON.stringify(answer)}\n`);
    else print(answer, context);
    return answer.states.missing ? EXIT.failed : EXIT.done;
  },
});

function print(answer: ReceiptAnswer, { out }: Context): void {
  const { receiptId, tenantId, segmentId, receivedAt, accepted, refused, committedIn, versions } = answer;
  out(`${receiptId} of ${tenantId}/${segmentId}, received ${receivedAt}\n`);
  if (accepted === undefined) out('The stream no longer holds the batch. These of its events are in the lake:\n');
  else out(`${accepted} accepted, ${refused} rejected\n`);
  if (committedIn !== undefined)
    out(`committed in version ${committedIn} of events; read at version ${versions.events}\n`);
  const rows = answer.events.map((event) => [
    event.index ?? 'all',
    event.state,
    event.type,
    event.eventId,
    told(event),
  ]);
  out(`\n${formatTable(['event', 'state', 'type', 'event id', 'where or why'], rows)}`);
}

function told({ state, file, of, code, path, message }: EventOutcome): string {
  if (state === 'quarantined') return `${code}${path ? ` at ${path}` : ''}: ${message}`;
  const stored = of ? `of event ${of.index} of ${of.receiptId}, in ${of.file}` : (file ?? '');
  return code ? `${stored ? `${stored}; ` : ''}${code}: ${message}` : stored;
}
