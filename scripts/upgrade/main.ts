import { rm } from 'node:fs/promises';
import { command, EXIT, runAsProcess } from '../../cli/command.ts';
import { parseDuration } from '../../cli/duration.ts';
import { numberOption } from '../../cli/number.ts';
import { interruption } from '../../runtime/interrupt.ts';
import { claimFolder, claimNewFolder } from '../stack/folder.ts';
import { runUpgrade } from './run.ts';
import { sourcesHere, unpackVersion } from './version.ts';

const USAGE = `Usage: npm run upgrade:test -- [options]

Starts an earlier version of this repository with two of each service, and sends events all the time. Replaces one process
after another by this version, in the order of docs/operator.md, and then goes back. After each step every query server must
answer. At the end it compares, event by event, what was acknowledged with what the lake holds. Ends with 1 when an event is
lost or stored twice, or when an answer was no 202.

  --from <version>   a tag or commit (default: the newest release, a tag such as v0.1.0)
  --rate <n>         events a second, on average (default 500)
  --settle <time>    time under load after each step (default 3s)
  --seed <n>         another seed simulates other shoppers (default 1)
  --dir <folder>     a new folder for the data (default .spor/upgrade-<n>); kept when something was wrong
  --json             the last line of standard output is the result as JSON; the rest goes to standard error

If the lockfiles differ, the earlier version installs its own packages with "npm ci".
`;

const upgrade = command({
  usage: USAGE,
  options: {
    from: { type: 'string' },
    rate: { type: 'string' },
    settle: { type: 'string' },
    seed: { type: 'string' },
    dir: { type: 'string' },
  },
  async run(values, _, context) {
    const rate = numberOption('--rate', values.rate ?? '500', { min: 1, max: 100_000 });
    const settleMs = parseDuration('--settle', values.settle ?? '3s');
    const seed = numberOption('--seed', values.seed ?? '1', { min: 0, max: 4_294_967_295 });
    const say = values.json ? context.err : context.out;
    const log = (line: string): void => say(`${line}\n`);
    const { signal, release } = interruption();
    const folder = values.dir === undefined ? await claimNewFolder('.spor', 'upgrade') : await claimFolder(values.dir);
    let passed = false;
    try {
      const before = await unpackVersion(values.from, folder.path);
      log(`from ${before.name} to this version and back, seed ${seed}; data and logs go to ${folder.path}`);
      const versions = { before, now: sourcesHere() };
      const options = { dir: folder.path, env: context.env, versions, rate, seed, settleMs, signal, log };
      const { ledger, availability, steps, faults } = await runUpgrade(options);
      const { counts } = ledger;
      const retries = Object.fromEntries(availability.retries);
      const longestGapMs = Math.round(availability.longestGapMs);
      const result = { from: before.name, steps, ...counts, longestGapMs, retries, faults };
      log(
        faults.length === 0
          ? `${steps} steps: ${counts.accepted} events acknowledged, each stored once, ${longestGapMs} ms at most between two 202s`
          : faults.join('\n'),
      );
      context.out(`${JSON.stringify(result)}\n`);
      passed = faults.length === 0;
      return passed ? EXIT.done : EXIT.failed;
    } finally {
      await folder.release();
      if (passed) await rm(folder.path, { recursive: true, force: true, maxRetries: 5 });
      release();
    }
  },
});

await runAsProcess('upgrade:test', upgrade);
