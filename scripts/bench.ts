import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { benchIngest } from './bench/ingest.ts';
import { machine, round, writeSection, type Result } from './bench/report.ts';

const USAGE = `Usage: npm run bench -- <ingest> [options]

Measures Spor against the physical limit of this machine and writes docs/benchmarks.md.

Options:
  --seconds N   length of each measurement (6)
  --rounds N    how often each pair is measured (3)
  --json        last line: {bench, machine, results:[{name, value, reach, unit}]}, higher is better
  --help        this text

Ends with 1 when it could not measure, with 2 for a wrong call; a missed reach is a result, not a failure.
`;

const log = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '6' },
      rounds: { type: 'string', default: '3' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return (process.stdout.write(USAGE), 0);
  const bench = positionals[0];
  const seconds = Number(values.seconds);
  const rounds = Number(values.rounds);
  if (positionals.length !== 1 || bench !== 'ingest' || !(seconds >= 1) || !(rounds >= 1)) {
    process.stderr.write(USAGE);
    return 2;
  }
  const dir = await mkdtemp(join(tmpdir(), 'spor-bench-'));
  let results: Result[];
  try {
    results = await benchIngest({ dir, seconds, rounds, log });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
  const on = await machine();
  await writeSection(bench, `npm run bench -- ${bench} --seconds ${seconds} --rounds ${rounds}`, on, results);
  for (const { name, value, reach, unit, detail } of results) {
    const verdict =
      reach === undefined ? '' : value >= reach ? ` (reach ${reach}: reached)` : ` (reach ${reach}: missed)`;
    process.stdout.write(`${name}: ${round(value)} ${unit}${verdict}\n    ${detail}\n`);
  }
  if (values.json) {
    const figures = results.map(({ name, value, reach, unit }) => ({ name, value, reach, unit }));
    process.stdout.write(`${JSON.stringify({ bench, machine: on, results: figures })}\n`);
  }
  return 0;
}

process.exitCode = await main();
