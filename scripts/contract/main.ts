import { rm } from 'node:fs/promises';
import { command, EXIT, runAsProcess } from '../../cli/command.ts';
import { numberOption } from '../../cli/number.ts';
import { openStream } from '../../cli/stream.ts';
import { interruption } from '../../runtime/interrupt.ts';
import { claimNewFolder } from '../stack/folder.ts';
import { startStack } from '../stack/stack.ts';
import { balanceOf } from './balance.ts';
import { runContracts, type ContractsReport } from './contracts.ts';

const USAGE = `Usage: npm run contract -- [options]

Starts Spor on this machine and sends requests made from the OpenAPI documents of both servers, good and bad, with and without
credentials. Each answer is compared with its document. Afterwards the days of the tenants must add up.

  --requests <n>  to each server (default 5000)
  --seed <n>      chooses the requests (default 1)
  --json          the last line of standard output is the result as JSON; other output goes to standard error

Ends with 1 if an answer is outside its document, or the counts differ.
`;

const MOST_SHOWN = 20;

const contract = command({
  usage: USAGE,
  options: { requests: { type: 'string' }, seed: { type: 'string' } },
  async run(values, _, context) {
    const requests = numberOption('--requests', values.requests ?? '5000', { min: 1, max: 1_000_000 });
    const seed = numberOption('--seed', values.seed ?? '1', { min: 0, max: 4_294_967_295 });
    const log = (line: string): void => (values.json ? context.err : context.out)(`${line}\n`);
    const { release } = interruption();
    const folder = await claimNewFolder('.spor', 'contract');
    try {
      const stack = await startStack({
        dir: folder.path,
        env: { ...context.env, LAKE_URL: '' },
        ports: 'free',
        restart: false,
        log,
      });
      try {
        const connection = await openStream(stack.nats, 'NATS_URL');
        try {
          const { ingestUrl, queryUrl } = stack;
          const report = await runContracts({ ingestUrl, queryUrl, connection, requests, seed });
          const balance = await balanceOf({ connection, lakeUrl: stack.lakeUrl });
          const faults = [...faultsOf(report), ...balance.faults, ...countFaults(report, balance)];
          log(describe(report));
          for (const fault of faults.slice(0, MOST_SHOWN)) log(fault);
          if (values.json) context.out(`${JSON.stringify({ seed, ...report, balance })}\n`);
          return faults.length === 0 ? EXIT.done : EXIT.failed;
        } finally {
          await connection.close();
        }
      } finally {
        await stack.stop();
      }
    } finally {
      await folder.release();
      await rm(folder.path, { recursive: true, force: true, maxRetries: 5 });
      release();
    }
  },
});

function faultsOf({ receiver, query }: ContractsReport): string[] {
  const named = (name: string, { outside }: ContractsReport['receiver']): string[] =>
    outside.map(({ fault, request }) => `${name}: ${fault}\n    ${request}`);
  return [...named('receiver', receiver), ...named('query server', query)];
}

function countFaults(report: ContractsReport, balance: { accepted: number }): string[] {
  if (report.accepted === balance.accepted) return [];
  return [`the receiver acknowledged ${report.accepted} events, and the days have ${balance.accepted}`];
}

function describe({ receiver, query, accepted, rejected }: ContractsReport): string {
  const one = (name: string, { requests, statuses, outside }: ContractsReport['receiver']): string =>
    `${name}: ${requests} requests, ${outside.length} answers outside the document, by status ${JSON.stringify(statuses)}`;
  return [
    one('receiver', receiver),
    one('query server', query),
    `${accepted} events accepted, ${rejected} rejected beside them`,
  ].join('\n');
}

await runAsProcess('contract', contract);
