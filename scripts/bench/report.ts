import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { findNatsServer } from '../natsServer.ts';
import { utcDay } from '../../runtime/units.ts';

/**
 * One figure, higher is better.
 *
 * A latency or size is its target divided by the measured value, with target 1.
 */
export interface Result {
  name: string;
  value: number;
  /** Target; undefined: for information only. */
  reach?: number;
  unit: string;
  /** The measured values with their spread, for people. */
  detail: string;
}

export interface Machine {
  cpu: string;
  cores: number;
  memoryGiB: number;
  node: string;
  natsServer: string;
}

/** Description of this machine. */
export async function machine(): Promise<Machine> {
  const processors = cpus();
  const server = execFileSync(await findNatsServer(), ['--version'], { encoding: 'utf8' });
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    natsServer: /v[\d.]+/.exec(server)?.[0] ?? 'unknown',
  };
}

const PAGE = new URL('../../docs/benchmarks.md', import.meta.url);

/** Writes one section of docs/benchmarks.md, and keeps the rest. */
export async function writeSection(
  bench: string,
  command: string,
  on: Machine,
  results: readonly Result[],
): Promise<void> {
  const { intro, sections } = readPage();
  const rows = results.map(
    ({ name, value, reach, unit, detail }) =>
      `| ${name} | ${round(value)} ${unit} | ${reach === undefined ? '' : `${reach} ${value >= reach ? '✓' : '**missed**'}`} | ${detail} |`,
  );
  sections.set(
    bench,
    `## ${bench}

\`${command}\` on ${utcDay(Date.now())}: ${on.cpu} · ${on.cores} cores · ${on.memoryGiB} GiB · Node ${on.node} · nats-server ${on.natsServer}.

| figure | value | reach | measured |
| --- | --- | --- | --- |
${rows.join('\n')}
`,
  );
  const ordered = [...sections].sort(([a], [b]) => a.localeCompare(b)).map(([, text]) => text);
  await writeFile(PAGE, [intro, ...ordered].join('\n'));
}

function readPage(): { intro: string; sections: Map<string, string> } {
  const [intro, ...parts] = readFileSync(PAGE, 'utf8').split(/^(?=## )/m);
  const sections = new Map(parts.map((part) => [/^## (.*)$/m.exec(part)![1]!, `${part.trimEnd()}\n`]));
  return { intro: `${intro!.trimEnd()}\n`, sections };
}

/** A number with three significant digits and no exponent. */
export function round(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)));
}

/** Median and extremes of values: `0.61 (0.58–0.66)`. */
export function spread(values: readonly number[]): { median: number; text: string } {
  const sorted = [...values].sort((a, b) => a - b);
  const median = (sorted[Math.floor((sorted.length - 1) / 2)]! + sorted[Math.floor(sorted.length / 2)]!) / 2;
  return { median, text: `${round(median)} (${round(sorted[0]!)}–${round(sorted.at(-1)!)})` };
}

/** Mean of values; 0 without values. */
export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
