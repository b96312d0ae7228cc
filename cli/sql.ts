import type { QueryRequest } from '../query/engine/query.ts';
import { ANSWER_OPTIONS, wantedAnswer, printAnswer } from './answer.ts';
import { command, EXIT, UsageError } from './command.ts';
import { dateRange } from './date.ts';
import { parseDuration } from './duration.ts';
import { withLakeQueries } from './lakeQueries.ts';
import { numberOption } from './number.ts';
import { requiredId } from './secrets.ts';
import { requireTenants } from './tenant.ts';

const USAGE = `Usage: spor sql --tenant <id> [options] "<sql>"

Answers one SQL statement in DuckDB's dialect over the committed events. It needs only LAKE_URL. Without <sql>, standard input is
the statement. Views: events, searches, product_clicks, cart_adds, orders, order_lines, quarantine.

  --tenant <id>            the tenant
  --segment <id>           only this segment; may be repeated
  --from, --to <date>      only these UTC dates, YYYY-MM-DD, both included
  --format <format>        table, json, ndjson, csv, parquet or arrow (default: the ending of --out, else table; --json is short for json)
  --out <file>             write to this file instead of standard output
  --version <n>            as of this version of the table (default: the newest)
  --timeout <duration>     (default 5m)
  --max-rows <n>           (default 100000)

  spor sql --tenant demo-shop "select type, count(*) from events group by 1"
`;

export const sqlCommand = command({
  usage: USAGE,
  options: {
    tenant: { type: 'string' },
    segment: { type: 'string', multiple: true },
    from: { type: 'string' },
    to: { type: 'string' },
    ...ANSWER_OPTIONS,
    timeout: { type: 'string' },
    'max-rows': { type: 'string' },
  },
  positionals: ['sql?'],
  async run(values, [given], context) {
    const wanted = wantedAnswer(values, context);
    const request: QueryRequest = {
      tenantId: requiredId('--tenant', values.tenant),
      segmentIds: (values.segment ?? []).map((segment) => requiredId('--segment', segment)),
      ...dateRange(values),
      sql: given ?? (await context.input()),
    };
    if (request.sql.trim() === '') throw new UsageError(`<sql> is missing\n\n${USAGE}`);
    const { timeout, 'max-rows': maxRows } = values;
    const limits = {
      ...(timeout === undefined ? {} : { LAKE_QUERY_TIMEOUT_MS: String(parseDuration('--timeout', timeout)) }),
      ...(maxRows === undefined
        ? {}
        : { LAKE_QUERY_MAX_ROWS: String(numberOption('--max-rows', maxRows, { min: 1, max: 10_000_000 })) }),
    };
    await requireTenants(context, [request.tenantId]);
    const answer = await withLakeQueries(context, limits, (queries) =>
      printAnswer(context, queries, request, wanted, { more: '--max-rows shows more' }),
    );
    if (answer.snapshot.version < 0 && /\bfrom\b/i.test(request.sql)) {
      context.err(`spor: the lake has no such events of tenant ${request.tenantId} yet\n`);
    }
    return EXIT.done;
  },
});
