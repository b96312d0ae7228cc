import { resolve } from 'node:path';
import { reportQuery } from '../query/engine/reportQuery.ts';
import type { Queries, QueryRequest } from '../query/engine/query.ts';
import type { Json } from '../query/formats/values.ts';
import { lastDays } from '../query/insight/reportRun.ts';
import { DAYS_AROUND } from '../query/insight/reports.ts';
import { literal } from '../lake/duckdb/sqlText.ts';
import { DAY_MS, utcDay } from '../runtime/units.ts';
import { createRegistry } from '../schemas/registry.ts';
import { createZone, isZone, UTC } from '../schemas/zone.ts';
import { command, EXIT, UsageError } from './command.ts';
import { dateOption } from './date.ts';
import { opensearchJudgments, quepidRatings, rreRatings, type Judgment } from './export/judgmentFiles.ts';
import { PERSONALIZE_INTERACTIONS, personalizeInteractions } from './export/personalize.ts';
import { UBI_EVENTS, UBI_QUERIES, ubiEvent, ubiQuery, type UbiEventRow, type UbiQueryRow } from './export/ubi.ts';
import { withLakeQueries } from './lakeQueries.ts';
import { requiredId } from './secrets.ts';
import { requireTenants } from './tenant.ts';
import { writeWhole } from './wholeFile.ts';
import { wrongUse } from './wrongUse.ts';

type Row = Record<string, Json>;

interface Asked {
  tenantId: string;
  segment: string | undefined;
  from: string;
  to: string;
  zone: string;
  parameters: Record<string, string>;
}

interface Format {
  summary: string;
  /** The rows to write. */
  query: (asked: Asked) => QueryRequest;
  /** The text of the file; undefined rows do not fit the format. */
  text: (rows: readonly Row[], name: string) => { text: string; leftOut?: number };
}

const judgments = (asked: Asked): QueryRequest =>
  reportQuery({ name: 'judgments', ...asked }, { tenantId: asked.tenantId, segmentIds: [] }, createRegistry());

const FORMATS: Readonly<Record<string, Format>> = {
  opensearch: {
    summary: 'judgments for the Search Relevance Workbench of OpenSearch (JSON)',
    query: judgments,
    text: (rows, name) => ({ text: opensearchJudgments(rows as unknown as Judgment[], name) }),
  },
  quepid: {
    summary: 'ratings for Quepid (CSV)',
    query: judgments,
    text: (rows) => ({ text: quepidRatings(rows as unknown as Judgment[]) }),
  },
  rre: {
    summary: 'ratings for the Rated Ranking Evaluator (JSON)',
    query: judgments,
    text: (rows, name) => ({ text: rreRatings(rows as unknown as Judgment[], name) }),
  },
  'ubi-queries': {
    summary: 'searches as User Behavior Insights 1.3 (NDJSON)',
    query: (asked) => eventsQuery(UBI_QUERIES, asked, { allDays: false }),
    text: (rows) => lines((rows as unknown as UbiQueryRow[]).map(ubiQuery)),
  },
  'ubi-events': {
    summary: 'impressions, clicks, cart adds and purchases as User Behavior Insights 1.3 (NDJSON)',
    query: (asked) => eventsQuery(UBI_EVENTS, asked, { allDays: false }),
    text: (rows) => lines((rows as unknown as UbiEventRow[]).map(ubiEvent)),
  },
  personalize: {
    summary: 'item interactions for Amazon Personalize, of visitors who agreed to it (CSV)',
    // A refusal on any day counts.
    query: (asked) => eventsQuery(PERSONALIZE_INTERACTIONS, asked, { allDays: true }),
    text: (rows) => ({ text: personalizeInteractions(rows) }),
  },
};

const USAGE = `Usage: spor export <format> --tenant <id> [options]

Writes what search and recommendation services read. Formats:

${Object.entries(FORMATS)
  .map(([name, { summary }]) => `  ${name.padEnd(14)}${summary}`)
  .join('\n')}

  --tenant <id>            the tenant
  --segment <id>           only this segment
  --from <date>            first day (default: the last 28 days)
  --to <date>              the day after the last
  --zone <name>            IANA time zone of days (default: the shop's, see spor zones; else UTC)
  --min-examined <n>       of judgments: fewest times that people looked at the product (default 10)
  --name <text>            name of the judgment list, index of the ratings (default: the tenant)
  --out <file>             write to this file instead of standard output

docs/exports.md says how each service takes its file.
`;

/** Most rows of a file. More are an error, because a part would look like the whole. */
const MOST_ROWS = 2_000_000;

export const exportCommand = command({
  usage: USAGE,
  options: {
    tenant: { type: 'string' },
    segment: { type: 'string' },
    from: { type: 'string' },
    to: { type: 'string' },
    zone: { type: 'string' },
    'min-examined': { type: 'string' },
    name: { type: 'string' },
    out: { type: 'string' },
  },
  positionals: ['format'],
  async run(values, [chosen = ''], context) {
    const format = Object.hasOwn(FORMATS, chosen) ? FORMATS[chosen] : undefined;
    if (!format) throw new UsageError(`there is no format "${chosen}": choose ${Object.keys(FORMATS).join(', ')}`);
    const tenantId = requiredId('--tenant', values.tenant);
    const segment = values.segment === undefined ? undefined : requiredId('--segment', values.segment);
    const asked = (zone: string): Asked => {
      if (!isZone(zone))
        throw new UsageError(`--zone ${zone} is no IANA time zone; write for example Europe/Copenhagen`);
      const days = lastDays(context.now(), zone);
      const from = values.from === undefined ? days.from : dateOption('--from', values.from);
      const to = values.to === undefined ? days.to : dateOption('--to', values.to);
      if (from >= to) throw new UsageError(`--from ${from} is not before --to ${to}, which is excluded`);
      const examined = values['min-examined'];
      const parameters = { limit: '2000000000', ...(examined === undefined ? {} : { min_examined: examined }) };
      return { tenantId, segment, from, to, zone, parameters };
    };
    // Wrong use is told before the lake is opened.
    wrongUse(() => format.query(asked(values.zone ?? UTC)));
    await requireTenants(context, [tenantId]);
    const { text, leftOut = 0 } = await withLakeQueries(
      context,
      { LAKE_QUERY_MAX_ROWS: String(MOST_ROWS) },
      async (queries) => {
        const zone = values.zone ?? (await queries.zone(tenantId, segment));
        return format.text(await rowsOf(queries, format.query(asked(zone))), values.name ?? tenantId);
      },
    );
    // A file or a pipe gets the exact bytes. A terminal gets text, which shows control characters.
    if (values.out === undefined) context.out(context.terminal ? text : Buffer.from(text));
    else await writeWhole(resolve(context.cwd, values.out), [text]);
    if (leftOut > 0)
      context.err(
        `spor: ${leftOut} rows are left out: ${chosen} needs a position, and ids of at most 100 characters\n`,
      );
    return EXIT.done;
  },
});

/** All rows of an answer. @throws Error if a limit cut it */
async function rowsOf(queries: Queries, request: QueryRequest): Promise<Row[]> {
  const { columns, rows, truncated } = await queries.run(request);
  if (truncated)
    throw new Error(`a limit keeps only the first ${rows.length} rows, so nothing is written: choose fewer days`);
  return rows.map((cells) => Object.fromEntries(cells.map((cell, index) => [columns[index]!.name, cell])));
}

/** A statement over the events of a period, and of the days around it. */
function eventsQuery(
  sql: string,
  { tenantId, segment, from, to, zone }: Asked,
  { allDays }: { allDays: boolean },
): QueryRequest {
  const [start, end] = [from, to].map((date) => createZone(zone).startOfDay(date)) as [number, number];
  const moment = (ms: number): string => `TIMESTAMPTZ ${literal(new Date(ms).toISOString())}`;
  return {
    tenantId,
    segmentIds: segment === undefined ? [] : [segment],
    sql: sql.replaceAll('$FROM', () => moment(start)).replaceAll('$TO', () => moment(end)),
    ...(allDays ? {} : { from: utcDay(start - DAYS_AROUND * DAY_MS), to: utcDay(end + DAYS_AROUND * DAY_MS) }),
  };
}

function lines(values: readonly (Json | undefined)[]): { text: string; leftOut: number } {
  const fitting = values.filter((value) => value !== undefined);
  return {
    text: fitting.map((value) => `${JSON.stringify(value)}\n`).join(''),
    leftOut: values.length - fitting.length,
  };
}
