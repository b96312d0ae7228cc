import { command, EXIT, runAsProcess } from '../../cli/command.ts';
import { numberOption } from '../../cli/number.ts';
import { formatDemoReport, summarizeDemo } from './report.ts';
import { startStack, type Stack } from '../stack/stack.ts';
import { claimFolder, claimNewFolder } from '../stack/folder.ts';
import { InterruptedError, interruption } from '../../runtime/interrupt.ts';

const USAGE = `Usage: npm run demo -- [options]

Starts nats-server, ingest, processor and the lake's query server on this machine, and simulates two webshops over HTTP. Then
checks that every acknowledged event is in the lake exactly once, prints the result, and stops everything.

  --seconds <n>   how long to simulate (default 10)
  --rate <n>      events a second, on average (default 2000)
  --seed <n>      another seed simulates another day (default 1)
  --dir <folder>  folder for the data (default a new .spor/demo-<n>)
  --keep          keep everything running afterwards, until Ctrl-C
  --json          the last line of standard output is the result as JSON; other output goes to standard error

LAKE_URL and the S3_… and AWS_… settings apply: LAKE_URL=s3://bucket/prefix puts the lake there.
`;

const demo = command({
  usage: USAGE,
  options: {
    seconds: { type: 'string' },
    rate: { type: 'string' },
    seed: { type: 'string' },
    dir: { type: 'string' },
    keep: { type: 'boolean' },
  },
  async run(values, _, context) {
    const seconds = numberOption('--seconds', values.seconds ?? '10', { min: 1, max: 86_400, whole: false });
    const rate = numberOption('--rate', values.rate ?? '2000', { min: 1, max: 1_000_000 });
    const seed = numberOption('--seed', values.seed ?? '1', { min: 0, max: 4_294_967_295 });
    const say = values.json ? context.err : context.out;
    const log = (line: string): void => say(`${line}\n`);
    const { signal, release } = interruption();
    const crash = new AbortController();
    const folder = values.dir === undefined ? await claimNewFolder('.spor', 'demo') : await claimFolder(values.dir);
    try {
      log(`Spor's data goes to ${folder.path}`);
      const loading = import('./run.ts'); // brings a database along, which takes a moment
      log('starting nats-server, ingest, processor and the query server …');
      const stack = await startStack({
        dir: folder.path,
        env: context.env,
        ports: 'free',
        restart: false,
        log,
        onCrash: (name, reason) => crash.abort(new Error(`${name} ${reason}`)),
      });
      try {
        const ended = AbortSignal.any([signal, crash.signal]);
        ended.throwIfAborted();
        log(
          `running: ${stack
            .processes()
            .map(({ name, pid }) => `${name} (${pid})`)
            .join(', ')}`,
        );
        log(`simulating about ${rate} events a second for ${seconds} s, seed ${seed}`);
        const { runDemo } = await loading;
        const outcome = await runDemo(stack, { seconds, rate, seed, signal: ended, log });
        log(formatDemoReport(outcome, { lakeUrl: stack.lakeUrl, dir: folder.path }));
        if (values.keep) await kept(stack, { ended, log, operatorToken: outcome.operatorToken });
        else log('To see it in the console: npm run demo -- --keep');
        if (values.json) context.out(`${JSON.stringify(summarizeDemo(outcome))}\n`);
        return outcome.faults.length === 0 ? EXIT.done : EXIT.failed;
      } finally {
        await stack.stop();
      }
    } catch (error) {
      // Errors that follow from a stop are not its reason.
      const stopped = [signal, crash.signal].find(({ aborted }) => aborted);
      const cause: unknown = stopped ? stopped.reason : error;
      if (!(cause instanceof InterruptedError)) throw cause;
      log('interrupted; everything is stopped');
      return 130;
    } finally {
      await folder.release();
      release();
    }
  },
});

/** Waits for Ctrl-C; throws any other reason for the end. */
async function kept(
  stack: Stack,
  { ended, log, operatorToken }: { ended: AbortSignal; log: (line: string) => void; operatorToken: string },
): Promise<void> {
  log(
    [
      'kept running until Ctrl-C:',
      `  events      ${stack.ingestUrl}/api/events`,
      `  queries     ${stack.queryUrl}/api/query`,
      `  console     ${stack.queryUrl}/console/`,
      `  sign in as  ${operatorToken}`,
    ].join('\n'),
  );
  if (!ended.aborted) await new Promise((resolve) => ended.addEventListener('abort', resolve));
  if (!(ended.reason instanceof InterruptedError)) throw ended.reason;
}

await runAsProcess('demo', demo);
