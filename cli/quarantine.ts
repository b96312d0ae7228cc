import { shownLine } from '../runtime/plainText.ts';
import { readPage, redrivenPlaces, countByCode, type QuarantinedRow } from './redrive/rows.ts';
import { command, EXIT, group, type Context } from './command.ts';
import { FILTER, FILTER_USAGE, limitOf, withQuarantine, type FilterValues } from './quarantineFilter.ts';
import { redriveCommand } from './redrive.ts';
import { formatTable } from './table.ts';

const USAGE = `Usage: spor quarantine <command> --tenant <id> [options]

  list      list rejected events, with the reason
  show      show them in full, as they were sent
  redrive   fix them, judge them again, and publish the accepted ones

"spor quarantine <command> --help" says more.
`;

const LIST_USAGE = `Usage: spor quarantine list --tenant <id> [options]

Lists the newest rejected events, whether they were redriven, and the number by code.

${FILTER_USAGE}
  --limit <n>              (default 50)
  --json
`;

const SHOW_USAGE = `Usage: spor quarantine show --tenant <id> [options]

${FILTER_USAGE}
  --limit <n>              (default 10)
  --json
`;

const list = command({
  usage: LIST_USAGE,
  options: FILTER,
  async run(values, _, context) {
    const { rows, more, redriven, counts } = await withQuarantine(values, context, async (ask, filter) => {
      const page = await readPage(ask, { ...filter, limit: limitOf(values, 50), newestFirst: true });
      const receipts = [...new Set(page.rows.map(({ receiptId }) => receiptId))];
      return { ...page, redriven: await redrivenPlaces(ask, receipts), counts: await countByCode(ask, filter) };
    });
    const states = rows.map((row) => ({ ...row, state: stateOf(row, redriven) }));
    if (values.json) {
      const events = states.map(({ raw: _raw, fixed: _fixed, ...row }) => row);
      context.out(`${JSON.stringify({ tenant: values.tenant, counts, events, more })}\n`);
      return EXIT.done;
    }
    if (rows.length === 0) return nothing(context, values);
    const columns = ['received', 'code', 'path', 'type', 'event', 'receipt', 'index', 'state'];
    const cells = states.map((row) => [
      row.receivedAt,
      row.code,
      row.path,
      row.type,
      row.eventId,
      row.receiptId,
      row.index,
      row.state,
    ]);
    context.out(formatTable(columns, cells));
    context.out(
      `\n${formatTable(
        ['code', 'path', 'rows'],
        counts.map(({ code, path, rows: n }) => [code, path, n]),
      )}`,
    );
    if (more) context.err('spor: there are older ones; raise --limit to see them\n');
    return EXIT.done;
  },
});

const show = command({
  usage: SHOW_USAGE,
  options: FILTER,
  async run(values, _, context) {
    const { rows, more, redriven } = await withQuarantine(values, context, async (ask, filter) => {
      const page = await readPage(ask, { ...filter, limit: limitOf(values, 10), newestFirst: true });
      const receipts = [...new Set(page.rows.map(({ receiptId }) => receiptId))];
      return { ...page, redriven: await redrivenPlaces(ask, receipts) };
    });
    const events = rows.map(({ fixed: _fixed, ...row }) => ({ ...row, state: stateOf({ ...row }, redriven) }));
    if (values.json) context.out(`${JSON.stringify({ tenant: values.tenant, events, more })}\n`);
    else if (rows.length === 0) return nothing(context, values);
    else {
      for (const { raw, ...facts } of events) {
        const lines = Object.entries(facts).map(
          ([name, value]) => `${name.padEnd(14)}${shownLine(String(value ?? ''))}\n`,
        );
        context.out(`${lines.join('')}raw           ${pretty(raw)}\n\n`);
      }
    }
    return EXIT.done;
  },
});

export const quarantineCommand = group(USAGE, { list, show, redrive: redriveCommand });

function stateOf({ receiptId, index }: Pick<QuarantinedRow, 'receiptId' | 'index'>, redriven: Set<string>): string {
  const isRedriven =
    index === null
      ? [...redriven].some((place) => place.startsWith(`${receiptId}/`))
      : redriven.has(`${receiptId}/${index}`);
  return isRedriven ? 'redriven' : 'refused';
}

function nothing({ out }: Context, { tenant }: FilterValues): number {
  out(`No rejected event of ${tenant} matches these options.\n`);
  return EXIT.done;
}

/** Indent JSON; any other text becomes one line. */
function pretty(raw: string): string {
  try {
    return JSON.stringify(JSON.parse(raw), null, 2);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return shownLine(raw);
  }
}
