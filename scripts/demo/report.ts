import { resolve } from 'node:path';
import { formatTable } from '../../cli/table.ts';
import { quantile } from './freshness.ts';
import { dataGlob } from './dataGlob.ts';
import { number } from '../load/progress.ts';
import type { DemoOutcome } from './run.ts';

/** The figures of a demo, printed by `--json`. */
export interface DemoSummary {
  accepted: number;
  stored: number;
  rejected: number;
  quarantined: number;
  duplicated: number;
  lost: number;
  eventsPerSecond: number;
  freshnessMs: { p50: number; p99: number };
  files: number;
  seconds: number;
}

export function summarizeDemo({ ledger, tenants, files, freshness, sendingSeconds }: DemoOutcome): DemoSummary {
  const total = (of: (tenant: DemoOutcome['tenants'][number]) => number): number =>
    tenants.reduce((sum, tenant) => sum + of(tenant), 0);
  return {
    accepted: ledger.counts.accepted,
    stored: total(({ comparison }) => comparison.stored),
    rejected: ledger.counts.refused,
    quarantined: total(({ quarantined }) => [...quarantined.values()].reduce((sum, count) => sum + count, 0)),
    // A fault counts if either reader finds it.
    duplicated: total(({ comparison, bareComparison }) => union(comparison.duplicated, bareComparison.duplicated)),
    lost: total(({ comparison, bareComparison }) => union(comparison.lost, bareComparison.lost)),
    eventsPerSecond: Math.round(ledger.counts.accepted / Math.max(sendingSeconds, 0.001)),
    freshnessMs: { p50: quantile(freshness.measured, 0.5), p99: quantile(freshness.measured, 0.99) },
    files: files.count,
    seconds: Math.round(sendingSeconds * 10) / 10,
  };
}

function union(a: string[], b: string[]): number {
  return new Set([...a, ...b]).size;
}

/** The demo's report for people. */
export function formatDemoReport(outcome: DemoOutcome, place: { lakeUrl: string; dir: string }): string {
  const { ledger, freshness, tenants, answers, files } = outcome;
  const figures = summarizeDemo(outcome);
  const seconds = (ms: number): string => (ms / 1000).toFixed(2);
  const sections = [
    `Sent ${number(ledger.counts.sent)} events in ${figures.seconds} s: ${number(figures.accepted)} accepted, ` +
      `${number(figures.rejected)} rejected (on purpose, each with the expected verdict).`,
    heading('Rejected, and kept in the quarantine', rejectedTable(outcome)),
    heading(
      'Rows in the lake',
      formatTable(
        ['tenant', 'type', 'rows'],
        tenants.flatMap(({ tenantId, rowsByType }) => [...rowsByType].map(([type, rows]) => [tenantId, type, rows])),
      ),
    ),
    heading(
      'Seconds from acknowledgement to queryable',
      `p50 ${seconds(figures.freshnessMs.p50)}, p99 ${seconds(figures.freshnessMs.p99)}\n` +
        `Measured on ${number(freshness.measured.length)} events, one every 40 ms. From the 202 on, the query server was asked\n` +
        'for the event until an answer had it.\n',
    ),
    ...answers.map(({ question, byTenant }) =>
      heading(
        question.title,
        formatTable(
          ['shop', ...byTenant[0]!.answer.columns.map(({ name }) => name)],
          byTenant.flatMap(({ tenantId, answer }) => answer.rows.map((row) => [tenantId, ...row])),
        ),
      ),
    ),
    heading('The files', whereText(outcome, place)),
    verdict(outcome),
  ];
  return `\n${sections.join('\n')}\n`;

  function heading(title: string, body: string): string {
    return `${title}\n${body}`;
  }

  function whereText({ files: found }: DemoOutcome, { lakeUrl, dir }: typeof place): string {
    const glob = dataGlob(files.folder, 'events', tenants[0]!.tenantId);
    const inS3 = lakeUrl.startsWith('s3:') ? [`${lakeUrl}; a copy is in ${found.folder}`] : [found.folder];
    return [
      `${number(found.count)} Parquet files, ${number(Math.round(found.bytes / 1024))} KiB, in ${inS3.join('')}`,
      'In your own DuckDB:',
      '',
      `  select type, count(*) from read_parquet('${glob}', hive_partitioning = true) group by type;`,
      '',
      'Or with the CLI of this repository:',
      '',
      `  LAKE_URL=${lakeUrl.startsWith('file:') ? `file:${resolve(lakeUrl.slice(5))}` : lakeUrl} npx spor sql --tenant ${tenants[0]!.tenantId} "select type, count(*) from events group by 1"`,
      '',
      `Logs and the stream's store are in ${dir}.`,
      '',
    ].join('\n');
  }
}

function rejectedTable({ ledger }: DemoOutcome): string {
  const codes = new Map<string, number[]>();
  const tenants = [...ledger.refused.keys()].sort();
  for (const [index, tenantId] of tenants.entries()) {
    for (const [code, count] of ledger.refused.get(tenantId)!) {
      const counts = codes.get(code) ?? tenants.map(() => 0);
      counts[index] = count;
      codes.set(code, counts);
    }
  }
  return formatTable(
    ['reason', ...tenants],
    [...codes].sort(([a], [b]) => a.localeCompare(b)).map(([code, counts]) => [code, ...counts]),
  );
}

function verdict({ faults, ledger }: DemoOutcome): string {
  if (faults.length > 0) return `NOT AS PROMISED:\n${faults.map((fault) => `- ${fault}`).join('\n')}`;
  return (
    `Checked event by event: all ${number(ledger.counts.accepted)} acknowledged events are in the lake exactly once, ` +
    'according to the query server and to a plain read of the files. Orders, revenue and refunds are equal to the cent.'
  );
}
