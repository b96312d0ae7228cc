import { command, EXIT } from './command.ts';
import { numberOption } from './number.ts';
import { estimateNeed, type Need } from './sizing/estimate.ts';
import { formatTable } from './table.ts';

const USAGE = `Usage: spor size --tenants N --events N [options]

Estimates cores, memory, disk, requests and dollars for a load, from measured figures (docs/sizing.md).

  --tenants <n>        tenants that send events
  --events <n>         events a second of all tenants together, on average
  --peak <n>           the busiest seconds as a multiple of that (default 4)
  --per-request <n>    events in a request (default 1)
  --retention <days>   days that events are kept (default 395)
  --keep-hours <n>     STREAM_KEEP_HOURS (default 72)
  --commits <n>        COMMITS_PER_SECOND (default 8)
  --commit-age <s>     COMMIT_MAX_SECONDS (default 300)
  --queries <n>        questions that run at once (default 2)
  --s3                 the lake is in S3
  --json               the estimate as JSON
`;

export const sizeCommand = command({
  usage: USAGE,
  options: {
    tenants: { type: 'string', default: '1' },
    events: { type: 'string', default: '10' },
    peak: { type: 'string', default: '4' },
    'per-request': { type: 'string', default: '1' },
    retention: { type: 'string', default: '395' },
    'keep-hours': { type: 'string', default: '72' },
    commits: { type: 'string', default: '8' },
    'commit-age': { type: 'string', default: '300' },
    queries: { type: 'string', default: '2' },
    s3: { type: 'boolean', default: false },
  },
  run(values, _, { out }) {
    const positive = (option: keyof typeof values, min: number, max: number, whole = true): number =>
      numberOption(`--${option}`, String(values[option]), { min, max, whole });
    const need = estimateNeed({
      tenants: positive('tenants', 1, 1_000_000),
      eventsPerSecond: positive('events', 0.001, 1_000_000, false),
      peak: positive('peak', 1, 1_000, false),
      eventsPerRequest: positive('per-request', 1, 1_000),
      retentionDays: positive('retention', 1, 36_500),
      keepHours: positive('keep-hours', 1, 87_600),
      commitsPerSecond: positive('commits', 1, 10_000),
      commitMaxSeconds: positive('commit-age', 1, 3_600),
      queries: positive('queries', 0, 64),
      s3: values.s3 === true,
    });
    out(values.json ? `${JSON.stringify(need)}\n` : tableOf(need));
    return Promise.resolve(EXIT.done);
  },
});

function tableOf(need: Need): string {
  const requests = Object.entries(need.requests).map(([kind, millions]) => [
    `${kind} requests a month`,
    `${millions.toFixed(1)} million`,
  ]);
  const dollars = need.requestDollars + need.storageDollars;
  return formatTable(
    ['what', 'how much'],
    [
      ['cores', `${need.cores} (busy: ${need.meanCores.toFixed(2)}, at the peak ${need.peakCores.toFixed(2)})`],
      ['memory', `${need.memoryGib.toFixed(1)} GiB`],
      ['disk of each stream server', `${need.streamGib.toFixed(1)} GiB`],
      ['lake', `${need.lakeGib.toFixed(1)} GiB`],
      ['commits a second', need.commitsPerSecond.toFixed(2)],
      ...requests,
      ...(requests.length === 0
        ? []
        : [
            [
              'S3 a month',
              `$${dollars.toFixed(0)} ($${need.requestDollars.toFixed(0)} requests, $${need.storageDollars.toFixed(0)} storage)`,
            ],
          ]),
    ],
  );
}
