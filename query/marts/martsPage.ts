import { isDaily, type Mart } from './mart.ts';

/** Text of docs/marts.md, from the comments of marts. */
export function martsPage(marts: readonly Mart[]): string {
  const section = (mart: Mart): string => {
    const columns = mart.columns.map(({ name, type, description }) => `| \`${name}\` | ${type} | ${description} |`);
    const made = isDaily(mart)
      ? 'Partitioned by `date`.'
      : `Made from ${mart.reads.map((name) => `\`${name}\``).join(', ')}.`;
    return `### ${mart.name}\n\n${mart.summary} A row is ${mart.row}. ${made}\n\n| column | type | meaning |\n| --- | --- | --- |\n${columns.join('\n')}\n`;
  };
  return `<!-- Made from query/marts/sql by "npx vitest run test/query/marts/page.test.ts -u". Do not edit. -->

# Marts

Marts are derived tables of a tenant, for services. [service.md](service.md#marts) says how they are refreshed. Types are
those of the lake. A \`long\` has 64 bits. A \`decimal\` is \`DECIMAL(18,4)\`, a \`decimal38\` \`DECIMAL(38,4)\`. A \`timestamp\` is in UTC.

Dates are UTC days. For days of the shop ask a [report](reports.md), which reads the events.

## Daily

${marts.filter(isDaily).map(section).join('\n')}
## Summaries

${marts
  .filter((mart) => !isDaily(mart))
  .map(section)
  .join('\n')}`;
}
