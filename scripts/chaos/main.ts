import { existsSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mountDisk, type SmallDisk } from './disk.ts';
import { startFleet } from './fleet.ts';
import type { ChaosFault, Disk } from './fault.ts';
import { CONTROLS, planControl, planCycles, type Control } from './plan.ts';
import { evidence, summarizeChaos } from './report.ts';
import { obstacleOf } from './obstacles.ts';
import { runChaos } from './run.ts';
import { command, EXIT, runAsProcess, UsageError } from '../../cli/command.ts';
import { numberOption } from '../../cli/number.ts';
import { claimFolder, claimNewFolder } from '../stack/folder.ts';
import { interruption } from '../../runtime/interrupt.ts';
import { findPrometheus } from '../monitoring/programs.ts';
import { startS3 } from '../s3/s3Server.ts';

const USAGE = `Usage: npm run chaos -- [options]

Runs Spor on this machine, plays webshops against it, and lets things go wrong: processes killed and stopped at every step,
networks that swallow, break and delay, full disks, clocks that jump, stores that go back. An operator erases people, sets a
retention, replays, redrives and vacuums meanwhile. After each cycle it waits until all is well again and compares, event by
event, what was acknowledged with what the lake holds, through the query server and through a bare read_parquet. Ends with 1
and the evidence when an event is lost, stored twice, another tenant's, was refused, or is back after an erasure.

  --cycles <n>         how many (default 10)
  --seed <n>           chooses the faults, their moments and the events (default 1)
  --s3                 the lake in an S3 server (started here; Debian and root). What is killed and stopped of it is its
                       gateway: its objects are in memory
  --faults <text>      only faults whose names contain the text, such as "erase" or "link"
  --cluster            three stream servers, and two of each service
  --alerts             Prometheus with the rules of deploy/monitoring beside it: the grave alerts must come where a fault
                       raises them, and nowhere else
  --negative-control   acknowledge before the commit: losses must be found
  --control <guard>    the same with the guard that is broken: acknowledgement, clocks or restore
  --dir <folder>       a new or empty folder for the data (default .spor/chaos-<n>); kept when something was wrong
  --json               the last line of standard output is the result as JSON; the rest goes to standard error

As root, lake, stream and work folder are put on small tmpfs disks that can be full; otherwise that is not run.
`;

/** Size in megabytes; a tmpfs takes memory only for its contents. */
const DISKS: Record<Disk, { folder: string; megabytes: number }> = {
  work: { folder: 'work', megabytes: 512 },
  lake: { folder: 'lake', megabytes: 4_096 },
  stream: { folder: join('nats', 'jetstream'), megabytes: 4_096 },
};

const chaos = command({
  usage: USAGE,
  options: {
    cycles: { type: 'string' },
    seed: { type: 'string' },
    s3: { type: 'boolean' },
    cluster: { type: 'boolean' },
    alerts: { type: 'boolean' },
    faults: { type: 'string' },
    'negative-control': { type: 'boolean' },
    control: { type: 'string' },
    dir: { type: 'string' },
  },
  async run(values, _, context) {
    const cycles = numberOption('--cycles', values.cycles ?? '10', { min: 1, max: 100_000 });
    const seed = numberOption('--seed', values.seed ?? '1', { min: 0, max: 4_294_967_295 });
    const cluster = values.cluster ?? false;
    const control = controlOf(values);
    const say = values.json ? context.err : context.out;
    const log = (line: string): void => say(`${line}\n`);
    const { signal, release } = interruption();
    if (values.dir !== undefined) await mustBeEmpty(values.dir);
    const folder = values.dir === undefined ? await claimNewFolder('.spor', 'chaos') : await claimFolder(values.dir);
    const dir = folder.path;
    log(`${cycles} cycles, seed ${seed}; data and logs go to ${dir}`);
    const closers: (() => Promise<void>)[] = [];
    let passed = false;
    try {
      const s3 = values.s3 ? await startS3() : undefined;
      if (s3 && 'unavailable' in s3) throw new Error(`--s3 cannot be run here: ${s3.unavailable}`);
      if (s3) closers.push(() => s3.stop());
      const disks = await mountDisks(dir, { lake: !s3, stream: !cluster, log });
      closers.push(...Object.values(disks).map((disk) => () => disk.unmount()));
      const endpoint = s3 && new URL(s3.config.s3Endpoint);
      const fleet = await startFleet({
        dir,
        lakeUrl: s3 ? `s3://${s3.bucket}/chaos` : `file:${join(dir, 'lake')}`,
        env: { ...context.env, ...s3?.env },
        cluster,
        ...(endpoint ? { s3: { host: endpoint.hostname, port: Number(endpoint.port) } } : {}),
        log,
      });
      closers.push(() => fleet.stop());
      const obstacle = (fault: ChaosFault): string | undefined =>
        obstacleOf(fault, { s3: s3 !== undefined, cluster, disks, links: fleet.links });
      const plan = control
        ? planControl(control, seed, cycles)
        : planCycles(seed, cycles, obstacle, (name) => name.includes(values.faults ?? ''));
      const programs = values.alerts ? await findPrometheus(context.env) : undefined;
      if (programs && 'unavailable' in programs)
        throw new Error(`--alerts cannot be run here: ${programs.unavailable}`);
      const outcome = await runChaos({
        fleet,
        plan,
        dir,
        disks,
        control,
        signal,
        log,
        ...(programs ? { prometheus: programs.prometheus } : {}),
        ...(s3 ? { signalS3: (name) => s3.signal(name) } : {}),
      });
      const summary = summarizeChaos(outcome);
      passed = outcome.findings.length === 0 && outcome.alarms.length === 0 && !outcome.stuck;
      for (const alarm of outcome.alarms) log(alarm);
      say(evidence(outcome, seed));
      if (!passed) {
        const { findings, stuck } = outcome;
        await writeFile(join(dir, 'evidence.json'), JSON.stringify({ seed, summary, stuck, findings }, undefined, 2));
      }
      context.out(`${JSON.stringify(summary)}\n`);
      return signal.aborted ? 130 : passed ? EXIT.done : EXIT.failed;
    } finally {
      for (const close of closers.reverse()) await close();
      await folder.release();
      if (passed) await rm(dir, { recursive: true, force: true, maxRetries: 5 });
      release();
    }
  },
});

function controlOf(values: { 'negative-control'?: boolean; control?: string }): Control | undefined {
  const { control } = values;
  if (control === undefined) return values['negative-control'] ? 'acknowledgement' : undefined;
  const known = CONTROLS.find((name) => name === control);
  if (known === undefined) throw new UsageError(`--control ${control} is none of ${CONTROLS.join(', ')}`);
  return known;
}

/** Rejects a folder with contents, because it may be removed. */
async function mustBeEmpty(folder: string): Promise<void> {
  const names = existsSync(folder) ? await readdir(folder) : [];
  if (names.length > 0) throw new UsageError(`--dir ${folder} is not empty: name a new folder`);
}

async function mountDisks(
  dir: string,
  { log, ...wanted }: { lake: boolean; stream: boolean; log: (line: string) => void },
): Promise<Partial<Record<Disk, SmallDisk>>> {
  const disks: Partial<Record<Disk, SmallDisk>> = {};
  try {
    for (const [name, { folder, megabytes }] of Object.entries(DISKS) as [Disk, (typeof DISKS)[Disk]][]) {
      if (name === 'work' || wanted[name]) disks[name] = await mountDisk(join(dir, folder), megabytes);
    }
  } catch (error) {
    log(`no disk can be mounted here, so that none will be full: ${(error as Error).message.trim()}`);
  }
  return disks;
}

await runAsProcess('chaos', chaos);
