import type { Registry } from '../../schemas/registry.ts';
import { DAYS_AROUND, listReports, type Report } from './reports.ts';
import { insightMacros, insightViews } from './views.ts';

const TITLES: Record<string, string> = {
  search: 'Search',
  product: 'Products',
  commercial: 'Commerce',
  experiment: 'Experiments',
  personalization: 'Personalization',
  quality: 'Quality of the data',
};

/** Text of docs/reports.md, from comments of SQL files. */
export function reportsPage(registry: Registry): string {
  const reports = listReports();
  const groups = Object.keys(TITLES).map((group) => {
    const sections = reports.filter((report) => report.group === group).map(reportSection);
    return `## ${TITLES[group]}\n\n${sections.join('\n')}`;
  });
  const views = insightViews(registry).map(
    ({ name, description }) => `### ${name}\n\n${commentAsMarkdown(description)}\n`,
  );
  const macros = insightMacros().map(({ name, description }) => `- \`${name}\`: ${description.replaceAll('\n', ' ')}`);
  return `<!-- Made from lake/insight by "npx vitest run test/query/insight/definitions.test.ts -u". Do not edit. -->

# Reports and views

Each report is one SQL file in \`query/insight/reports/\`, each view one in \`query/insight/views/\`. Their comments make this page.
Tests compare every report with an independent calculation in TypeScript. They use a simulated shop with known chains from
search to order.

Ask for a report with \`npx spor report\` or \`GET /api/reports/{name}\`. Answers are JSON, NDJSON, CSV, Parquet or Arrow, see
[data-scientist.md](data-scientist.md#reports).

- A period begins with \`from\` and ends before \`to\`. Both are dates (their first moment in the zone) or times with a zone.
- **Days are days of the shop.** The parameter \`zone\` is an IANA name such as \`Europe/Copenhagen\`. If it is absent, the zone
  is the segment's (\`npx spor zones set\`), else the tenant's, else UTC. A day has 23 or 25 hours when clocks change.
- A visit over midnight is one visit.
- The period before is as long. Before whole days are as many whole days, even if they have an hour more or less. Ask for
  it with \`before=true\`.
- Partitions of the lake and [marts](marts.md) stay UTC days. Reports read the events, so their days are exact in any zone.
- Events of bots are flagged and left out (view \`events_with_bots\`).
- An order counts once by its orderId, even if it was sent several times (view \`orders\`).
- Amounts of different currencies are never added.
- NULL means unknown, 0 means none. Measures of clicks, cart adds and orders are NULL if the shop sent no such event around the
  period.
- "Around the period" means the period and the ${DAYS_AROUND} days before and after it. A report reads those days.
- The outcome of a search or click counts for the period of that search or click. A chain may take up to 7 days, so recent
  numbers still rise.
- A searchId of an older search stays \`given\`, but its phrase is not looked up.

${groups.join('\n')}
## Views

SQL queries read these views of a tenant. Later views use earlier ones.

${views.join('\n')}
## Macros

${macros.join('\n')}
`;
}

function reportSection(report: Report): string {
  const facts = [
    `A row is ${report.row}.`,
    `Period: ${report.period}.`,
    report.segment === undefined ? 'Segment: none, the report covers the whole tenant.' : `Segment: ${report.segment}.`,
    `NULL or 0: ${report.nulls}`,
    `Needs: ${report.needs}`,
    `Source: ${report.source}`,
    ...report.parameters.map(
      ({ name, default: value, description }) =>
        `\`${name}\` (${value === null ? 'a text' : `default ${value}`}): ${description}.`,
    ),
  ];
  const columns = report.columns.map(({ name, description }) => `  - \`${name}\`: ${description}`);
  return `### ${report.name}\n\n${report.summary}\n\n${facts.map((fact) => `- ${fact}`).join('\n')}\n- Columns:\n${columns.join('\n')}\n`;
}

/** Markdown of a comment, with its indented lines unchanged. */
function commentAsMarkdown(comment: string): string {
  const paragraphs = comment.split('\n\n').map((paragraph) => {
    const indented = paragraph.split('\n').some((line) => line.startsWith(' '));
    return indented ? `\`\`\`text\n${paragraph}\n\`\`\`` : paragraph;
  });
  return paragraphs.join('\n\n');
}
