import { readFile, rm } from 'node:fs/promises';
import { command, EXIT, runAsProcess, UsageError } from '../../cli/command.ts';
import { formatTable } from '../../cli/table.ts';
import { DAY_MS, utcDay } from '../../runtime/units.ts';
import { interruption } from '../../runtime/interrupt.ts';
import { grantAccess } from '../access.ts';
import { claimNewFolder } from '../stack/folder.ts';
import { startStack } from '../stack/stack.ts';
import { readInvoices } from './invoices.ts';
import { sendEvents, type KindOfEvent, type SentCounts } from './send.ts';
import { readUbi } from './ubi.ts';

const USAGE = `Usage: npm run public-data -- ubi|invoices --file <path> [--file <path> …] [options]

Starts Spor on this machine and sends it the events of public files, as they are. Times are moved into the last weeks.

  ubi        search logs of User Behavior Insights 1.3, newline-delimited JSON in OpenSearch's bulk form
  invoices   "Online Retail" (UCI), CSV; net revenue must equal the file's own sum

  --file     a file of the form; may be given several times
  --json     the last line of standard output is the result as JSON; other output goes to standard error

Ends with 1 if fewer than 99 % of the events are accepted, or the sums differ.
`;

const LEAST_SHARE = 0.99;
const SHOP = { tenantId: 'public-data', segments: [{ segmentId: 'web', share: 1 }] };

interface Outcome extends SentCounts {
  share: number;
  /** Net revenue by the file and by the report; absent for search logs. */
  net?: { file: string; report: string };
}

const publicData = command({
  usage: USAGE,
  options: { file: { type: 'string', multiple: true } },
  positionals: ['form'],
  async run(values, [form], context) {
    const read = READERS[form!];
    const paths = values.file ?? [];
    if (!read || paths.length === 0) throw new UsageError(`name ubi or invoices, and a --file\n\n${USAGE}`);
    const { lines, netUnits } = read(await Promise.all(paths.map((path) => readFile(path, 'utf8'))));
    const log = (line: string): void => (values.json ? context.err : context.out)(`${line}\n`);
    const { release } = interruption();
    const folder = await claimNewFolder('.spor', 'public-data');
    try {
      const env = { ...context.env, LAKE_URL: '' };
      const stack = await startStack({ dir: folder.path, env, ports: 'free', restart: false, log });
      try {
        const access = await grantAccess({ nats: stack.nats, replicas: 1, shops: [SHOP], label: 'public data' });
        const key = access.keyOf(SHOP.tenantId, 'web', 'server');
        const sent = await sendEvents(lines, { url: stack.ingestUrl, key, nowMs: Date.now() });
        const outcome: Outcome = { ...sent, share: shareOf(sent) };
        if (netUnits !== undefined) {
          const report = await netRevenue(stack.queryUrl, access.tokenOf(SHOP.tenantId));
          outcome.net = { file: decimalOf(netUnits), report };
        }
        log(describe(outcome));
        if (values.json) context.out(`${JSON.stringify(outcome)}\n`);
        const same = outcome.net === undefined || outcome.net.file === outcome.net.report;
        return same && outcome.share >= LEAST_SHARE ? EXIT.done : EXIT.failed;
      } finally {
        await stack.stop();
      }
    } finally {
      await folder.release();
      await rm(folder.path, { recursive: true, force: true, maxRetries: 5 });
      release();
    }
  },
});

/** Readers of the forms: the events of all files, and their net sum where there is one. */
const READERS: Record<string, (texts: readonly string[]) => { lines: KindOfEvent[]; netUnits?: bigint }> = {
  ubi: (texts) => ({ lines: texts.flatMap(readUbi) }),
  invoices: (texts) => {
    const all = texts.map(readInvoices);
    return {
      lines: all.flatMap(({ events }) => events.map((event) => ({ kind: String(event.type), event }))),
      netUnits: all.reduce((sum, { netUnits }) => sum + netUnits, 0n),
    };
  },
};

function shareOf({ kinds }: SentCounts): number {
  const all = Object.values(kinds);
  return all.reduce((sum, { accepted }) => sum + accepted, 0) / all.reduce((sum, { sent }) => sum + sent, 0);
}

async function netRevenue(queryUrl: string, token: string): Promise<string> {
  const url = new URL('/api/reports/revenue', queryUrl);
  url.searchParams.set('from', utcDay(Date.now() - 30 * DAY_MS));
  url.searchParams.set('to', utcDay(Date.now() + DAY_MS));
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  const answer = (await response.json()) as { columns?: { name: string }[]; rows?: unknown[][] };
  if (!answer.rows || !answer.columns) throw new Error(`the query server answered ${JSON.stringify(answer)}`);
  const at = answer.columns.findIndex(({ name }) => name === 'net_revenue');
  return String(answer.rows[0]?.[at]);
}

/** Ten-thousandths as the report writes them. */
function decimalOf(units: bigint): string {
  const digits = String(units < 0n ? -units : units).padStart(5, '0');
  return `${units < 0n ? '-' : ''}${digits.slice(0, -4)}.${digits.slice(-4)}`;
}

function describe({ kinds, rejected, share, net }: Outcome): string {
  const rows = Object.entries(kinds).map(([kind, { lines, sent, accepted }]) => [kind, lines, sent, accepted]);
  const codes = Object.entries(rejected).map(([code, { events, message }]) => `${events} × ${code}: ${message}`);
  const sums = net ? [`net revenue: ${net.file} by the file, ${net.report} by the report`] : [];
  const accepted = `${(100 * share).toFixed(2)} % of the events accepted`;
  return [formatTable(['kind', 'lines', 'sent', 'accepted'], rows), accepted, ...codes, ...sums].join('\n');
}

await runAsProcess('public-data', publicData);
