import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { benchOverload, benchSoak } from './bounds.ts';
import { benchIdle } from './idle.ts';
import { benchIngest } from './ingest.ts';
import { benchNormalise } from './normalise.ts';
import { benchPipeline } from './pipeline.ts';
import { benchProcessor } from './processor.ts';
import { benchQuery } from './query.ts';
import { machine, round, writeSection, type Result } from './report.ts';
import type { BenchOptions } from './services.ts';
import { benchTenants } from './tenants.ts';
import { benchViews } from './views.ts';

interface Bench {
  measures: string;
  run: (options: BenchOptions) => Promise<Result[]>;
  /** Defaults of --seconds and --rounds. */
  seconds: number;
  rounds: number;
}

const BENCHES: Record<string, Bench> = {
  ingest: {
    measures: 'the Event Receiver against itself storing nothing; many tenants; latency of the 202',
    run: benchIngest,
    seconds: 6,
    rounds: 3,
  },
  normalise: {
    measures: 'processor time of an event in the receiver, with and without normalising',
    run: benchNormalise,
    seconds: 5,
    rounds: 7,
  },
  processor: {
    measures: "stream to committed Parquet against DuckDB's own COPY of the same events",
    run: benchProcessor,
    // The stream is filled for twice this time, which includes first tables and small first windows.
    seconds: 12,
    rounds: 3,
  },
  pipeline: {
    measures: 'everything at once: accepted, fsynced and committed; freshness; storage',
    run: benchPipeline,
    seconds: 60,
    rounds: 1,
  },
  tenants: {
    measures: 'many tenants that send little: cores, files, log entries and S3 requests a second, age of an SQL answer',
    run: benchTenants,
    seconds: 60,
    rounds: 1,
  },
  query: {
    measures: 'the reports over a month of 100 million events against plain DuckDB; bytes read for one day',
    run: benchQuery,
    seconds: 1,
    rounds: 1,
  },
  views: {
    measures: "CPU of the query server for the console's Search view: first look, again, after one more commit",
    run: benchViews,
    seconds: 1,
    rounds: 3,
  },
  idle: {
    measures: 'memory of a stack with ten tenants and nothing to do, process by process',
    run: benchIdle,
    seconds: 1,
    rounds: 1,
  },
  overload: {
    measures:
      'crowds of idle and slow connections, then three times the peak: rejected early, nothing lost, nothing grows',
    run: benchOverload,
    seconds: 300,
    rounds: 3,
  },
  soak: {
    measures: 'a steady load for long: neither memory nor open files grow',
    run: benchSoak,
    seconds: 1_200,
    rounds: 1,
  },
};

const USAGE = `Usage: npm run bench -- <${Object.keys(BENCHES).join('|')}> [options]

Measures Spor against the physical limit of this machine and writes docs/benchmarks.md.

${Object.entries(BENCHES)
  .map(
    ([name, { measures, seconds, rounds }]) =>
      `  ${name.padEnd(12)}${measures} (--seconds ${seconds} --rounds ${rounds})`,
  )
  .join('\n')}

Options:
  --seconds N   length of each measurement
  --rounds N    how often each pair is measured
  --events N    how many events the lake of the query bench has (100000000)
  --tenants N   how many tenants the tenants bench has (1000)
  --keep DIR    folder where that lake is kept for the next time (.spor/bench)
  --quick       only to see that it works: a second of everything, nothing written
  --json        last line: {bench, machine, results:[{name, value, reach, unit}]}, higher is better
  --help        this text

Ends with 1 when it could not measure, with 2 for a wrong call; a missed reach is a result, not a failure.
`;

const log = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string' },
      rounds: { type: 'string' },
      events: { type: 'string' },
      tenants: { type: 'string' },
      keep: { type: 'string', default: join('.spor', 'bench') },
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return (process.stdout.write(USAGE), 0);
  const [name = ''] = positionals;
  const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
  const { quick } = values;
  const seconds = Number(values.seconds ?? (quick ? 1 : bench?.seconds));
  const rounds = Number(values.rounds ?? (quick ? 1 : bench?.rounds));
  const events = values.events === undefined ? undefined : Number(values.events);
  const tenants = values.tenants === undefined ? undefined : Number(values.tenants);
  if (!((tenants ?? 1) >= 1)) return (process.stderr.write(USAGE), 2);
  if (positionals.length !== 1 || !bench || !(seconds >= 1) || !(rounds >= 1) || !((events ?? 1) >= 1)) {
    process.stderr.write(USAGE);
    return 2;
  }
  const dir = await mkdtemp(join(tmpdir(), 'spor-bench-'));
  let results: Result[];
  try {
    results = await bench.run({
      dir,
      seconds,
      rounds,
      quick,
      keep: resolve(values.keep),
      ...(events ? { events } : {}),
      ...(tenants ? { tenants } : {}),
      log,
    });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
  const on = await machine();
  const asked = `--seconds ${seconds} --rounds ${rounds}${events ? ` --events ${events}` : ''}${tenants ? ` --tenants ${tenants}` : ''}`;
  if (!quick) await writeSection(name, `npm run bench -- ${name} ${asked}`, on, results);
  for (const result of results) process.stdout.write(line(result));
  if (values.json) {
    const figures = results.map(({ name: figure, value, reach, unit }) => ({ name: figure, value, reach, unit }));
    process.stdout.write(`${JSON.stringify({ bench: name, machine: on, results: figures })}\n`);
  }
  return 0;
}

function line({ name, value, reach, unit, detail }: Result): string {
  const verdict = reach === undefined ? '' : ` (reach ${reach}: ${value >= reach ? 'reached' : 'missed'})`;
  return `${name}: ${round(value)} ${unit}${verdict}\n    ${detail}\n`;
}

process.exitCode = await main();
