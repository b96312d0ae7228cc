import { reportQuery } from '../query/engine/reportQuery.ts';
import { lastDays } from '../query/insight/reportRun.ts';
import { findReport, listReports, type Report } from '../query/insight/reports.ts';
import type { Json } from '../query/formats/values.ts';
import { createRegistry } from '../schemas/registry.ts';
import { UTC } from '../schemas/zone.ts';
import type { QueryRequest } from '../query/engine/query.ts';
import { ANSWER_OPTIONS, ANSWER_USAGE, wantedAnswer, printAnswer } from './answer.ts';
import { command, EXIT, UsageError, type Command } from './command.ts';
import { requiredId } from './secrets.ts';
import { withLakeQueries } from './lakeQueries.ts';
import { formatTable } from './table.ts';
import { requireTenants } from './tenant.ts';
import { wrongUse } from './wrongUse.ts';

const USAGE = `Usage: spor report <name> --tenant <id> [options]
       spor report list [--json]
       spor report describe <name> [--json]

Answers a report from the lake. "spor report list" lists the reports. "describe" defines each number and says when it is null.
"spor report <name> --help" shows the report's own options.
`;

const SHOWN_DIGITS = 4;

const list = command({
  usage: 'Usage: spor report list [--json]\n',
  options: {},
  run({ json }, _, context) {
    const reports = listReports();
    if (json) context.out(`${JSON.stringify({ reports })}\n`);
    else {
      const rows = reports.map(({ group, name, summary }) => [group, name, summary]);
      context.out(formatTable(['group', 'name', 'summary'], rows));
    }
    return Promise.resolve(EXIT.done);
  },
});

const describe = command({
  usage: 'Usage: spor report describe <name> [--json]\n',
  options: {},
  positionals: ['name'],
  run({ json }, [name = ''], context) {
    const report = known(name);
    context.out(json ? `${JSON.stringify(report)}\n` : description(report));
    return Promise.resolve(EXIT.done);
  },
});

/** The command of one report, with its own options. */
function commandOf(report: Report): Command {
  return command({
    usage: reportUsage(report),
    options: {
      tenant: { type: 'string' },
      segment: { type: 'string' },
      from: { type: 'string' },
      to: { type: 'string' },
      zone: { type: 'string' },
      before: { type: 'boolean' },
      ...ANSWER_OPTIONS,
      ...Object.fromEntries(report.parameters.map(({ name }) => [optionOf(name), { type: 'string' } as const])),
    },
    async run(values, _, context) {
      const wanted = wantedAnswer(values, context);
      const tenantId = requiredId('--tenant', values.tenant);
      const given = values as Record<string, string | undefined>;
      const parameters = Object.fromEntries(
        report.parameters.flatMap(({ name }) => {
          const text = given[optionOf(name)];
          return text === undefined ? [] : [[name, text]];
        }),
      );
      const { segment, before } = values;
      const askedIn = (zone: string): QueryRequest =>
        wrongUse(() => {
          const period = lastDays(context.now(), zone);
          const { from = period.from, to = period.to } = values;
          const request = { name: report.name, from, to, zone, before, segment, parameters };
          return reportQuery(request, { tenantId, segmentIds: [] }, createRegistry());
        });
      // Wrong use is told before the lake is opened.
      askedIn(values.zone ?? UTC);
      await requireTenants(context, [tenantId]);
      const answer = await withLakeQueries(context, {}, async (queries) => {
        const asked = askedIn(values.zone ?? (await queries.zone(tenantId, segment)));
        return printAnswer(context, queries, asked, wanted, { more: 'set --limit', formatForDisplay });
      });
      if (answer.snapshot.version < 0) context.err(`spor: the lake has no such events of tenant ${tenantId} yet\n`);
      return EXIT.done;
    },
  });
}

export const reportCommand: Command = {
  run([name, ...rest], context) {
    if (name === undefined) throw new UsageError(`a report is missing\n\n${USAGE}`);
    if (name === '--help' || name === '-h' || name === 'help') {
      context.out(USAGE);
      return Promise.resolve(EXIT.done);
    }
    if (name === 'list') return list.run(rest, context);
    if (name === 'describe') return describe.run(rest, context);
    return commandOf(known(name)).run(rest, context);
  },
};

/** Round inexact numbers for a table. */
function formatForDisplay(row: Json[]): Json[] {
  return row.map((cell) =>
    typeof cell === 'number' && !Number.isInteger(cell) ? Number(cell.toPrecision(SHOWN_DIGITS)) : cell,
  );
}

function known(name: string): Report {
  return wrongUse(() => findReport(name));
}

function optionOf(parameter: string): string {
  return parameter.replaceAll('_', '-');
}

function reportUsage({ name, summary, segment, parameters }: Report): string {
  const options = [
    ['tenant <id>', 'the tenant'],
    ...(segment === undefined ? [] : [['segment <id>', `only this segment: ${segment}`]]),
    ['from <date>', 'first day, or a time with its zone (default: the last 28 days)'],
    ['to <date>', 'the day after the last, or a time with its zone'],
    ['zone <name>', "IANA time zone of days (default: the shop's, see spor zones; else UTC)"],
    ['before', 'the period before instead, as much of it as has passed'],
    ...ANSWER_USAGE,
    ...parameters.map(({ name: parameter, default: value, description: text }) =>
      value === null
        ? [`${optionOf(parameter)} <text>`, text]
        : [`${optionOf(parameter)} <n>`, `${text} (default ${value})`],
    ),
  ];
  const lines = options.map(([option, text]) => `  --${option!.padEnd(24)}${text}\n`).join('');
  return `Usage: spor report ${name} --tenant <id> [options]\n\n${summary} "spor report describe ${name}" says more.\n\n${lines}`;
}

function description(report: Report): string {
  const facts = [
    ['A row is', report.row],
    ['Period', report.period],
    ['Segment', report.segment ?? 'none: the report covers the whole tenant'],
    ['NULL or 0', report.nulls],
    ['Needs', report.needs],
    ['Source', report.source],
  ].map(([name, text]) => `${name}: ${text}\n`);
  const columns = report.columns.map(({ name, description: text }) => [name, text]);
  return `${report.name}: ${report.summary}\n\n${facts.join('')}\n${formatTable(['column', 'meaning'], columns)}`;
}
