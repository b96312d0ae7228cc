import { readFile, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { grantAccess, isGranted } from '../access.ts';
import { command, EXIT, runAsProcess } from '../../cli/command.ts';
import { numberOption } from '../../cli/number.ts';
import { parseEnvFile, UP_ENV_FILE } from '../../cli/settings.ts';
import { createRandom } from '../shop/random.ts';
import { SHOPS } from '../shop/shops.ts';
import { uuid7 } from '../shop/uuid7.ts';
import { startStack, type Stack } from './stack.ts';
import { claimFolder } from './folder.ts';
import { interruption } from '../../runtime/interrupt.ts';

const USAGE = `Usage: npm run up -- [options]

Starts nats-server, ingest, processor and the lake's query server on this machine. Restarts a process that ends. Prints a key
and commands to try. Data stays in .spor/up between starts. Ctrl-C stops everything.

  --dir <folder>       folder for the data (default .spor/up, which "npx spor" knows)
  --processors <n>     how many processors share the shards (default 1, in a cluster 2)
  --cluster            three nats-servers as a cluster, two of each service; the folder is then .spor/cluster by default
  --json               one line of JSON on standard output when everything is ready; other output goes to standard error

Ports: NATS_PORT (4222), INGEST_PORT (4001), LAKE_PORT (4002), PROCESSOR_PORT (4003). LAKE_URL=s3://bucket/prefix with the
S3_… and AWS_… settings puts the lake into S3.
`;

/** Secrets for a person, kept because Spor stores only hashes. */
interface Secrets {
  SPOR_KEY: string;
  SPOR_TOKEN: string;
  SPOR_OPERATOR_TOKEN: string;
}

const up = command({
  usage: USAGE,
  options: { dir: { type: 'string' }, processors: { type: 'string' }, cluster: { type: 'boolean' } },
  async run(values, _, context) {
    const say = values.json ? context.err : context.out;
    const log = (line: string): void => say(`${line}\n`);
    const cluster = values.cluster ?? false;
    const processors = numberOption('--processors', values.processors ?? (cluster ? '2' : '1'), { min: 1, max: 16 });
    const { signal, release } = interruption();
    const folder = await claimFolder(values.dir ?? join('.spor', cluster ? 'cluster' : 'up'));
    const envFile = join(folder.path, 'env');
    try {
      log(
        `starting ${cluster ? 'three nats-servers and two of each service' : 'nats-server, ingest, processor and the query server'} …`,
      );
      const stack = await startStack({
        dir: folder.path,
        env: context.env,
        ports: 'usual',
        restart: true,
        log,
        processors,
        cluster,
      });
      try {
        const secrets = await secretsOf(stack, envFile);
        await writeEnv(envFile, {
          ...stack.env,
          INGEST_URL: stack.ingestUrl,
          PROCESSOR_URL: stack.processorUrl,
          LAKE_QUERY_URL: stack.queryUrl,
          ...secrets,
        });
        log(welcome(stack, secrets, envFile));
        if (cluster) log(clusterMembers(stack));
        if (values.json)
          context.out(
            `${JSON.stringify({ ingestUrl: stack.ingestUrl, queryUrl: stack.queryUrl, natsUrl: stack.natsUrl, lakeUrl: stack.lakeUrl, key: secrets.SPOR_KEY, token: secrets.SPOR_TOKEN, operatorToken: secrets.SPOR_OPERATOR_TOKEN, consoleUrl: `${stack.queryUrl}/console/`, processes: stack.processes(), addresses: stack.addresses() })}\n`,
          );
        if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
        log('stopping …');
      } finally {
        await stack.stop();
      }
      return EXIT.done;
    } finally {
      await folder.release();
      release();
    }
  },
});

const [SHOP] = SHOPS;
const TENANT = SHOP!.tenantId;
const SEGMENT = SHOP!.segments[0]!.segmentId;

/** The last start's secrets if they work, else new ones. */
async function secretsOf(stack: Stack, envFile: string): Promise<Secrets> {
  const replicas = Number(stack.env.NATS_REPLICAS ?? 1);
  const before = parseEnvFile(await readFile(envFile, 'utf8').catch(() => '')); // absent at the first start
  const { SPOR_KEY, SPOR_TOKEN, SPOR_OPERATOR_TOKEN } = before;
  const known =
    SPOR_KEY && SPOR_TOKEN && SPOR_OPERATOR_TOKEN ? { SPOR_KEY, SPOR_TOKEN, SPOR_OPERATOR_TOKEN } : undefined;
  if (
    known &&
    (await isGranted({
      nats: stack.nats,
      replicas,
      key: known.SPOR_KEY,
      tokens: [known.SPOR_TOKEN, known.SPOR_OPERATOR_TOKEN],
    }))
  )
    return known;
  const access = await grantAccess({ nats: stack.nats, replicas, shops: [SHOP!], label: 'up', operator: true });
  return {
    SPOR_KEY: access.keyOf(TENANT, SEGMENT),
    SPOR_TOKEN: access.tokenOf(TENANT),
    SPOR_OPERATOR_TOKEN: access.operatorToken!,
  };
}

/** Writes a file atomically that only its owner can read. */
async function writeEnv(file: string, env: Record<string, string>): Promise<void> {
  const lines = Object.entries(env).map(([name, value]) => `${name}=${value}\n`);
  await writeFile(`${file}.new`, `# Written by "npm run up"; read by "npx spor".\n${lines.join('')}`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

function welcome(
  { ingestUrl, queryUrl, lakeUrl, dir }: Stack,
  { SPOR_KEY, SPOR_TOKEN, SPOR_OPERATOR_TOKEN }: Secrets,
  envFile: string,
): string {
  const now = Date.now();
  const event = {
    eventId: uuid7(now, createRandom(now % 2 ** 32)),
    type: 'Search',
    timestamp: new Date(now).toISOString(),
    sessionId: 'try-me',
    phrase: 'running shoes',
    resultsCount: 3,
  };
  const sql = 'select type, count(*) from events group by 1';
  const elsewhere =
    resolve(envFile) === resolve(UP_ENV_FILE) ? [] : ['', `First, for the spor command:  set -a; . ${envFile}; set +a`];
  return [
    '',
    'Spor is running.',
    '',
    `  events      ${ingestUrl}/api/events`,
    `  queries     ${queryUrl}/api/query`,
    `  console     ${queryUrl}/console/   sign in with one of the tokens below`,
    `  lake        ${lakeUrl}`,
    `  logs        ${join(dir, 'logs')}`,
    `  key         ${SPOR_KEY}   sends as ${TENANT}/${SEGMENT}`,
    `  read token  ${SPOR_TOKEN}   reads ${TENANT}`,
    `  operator    ${SPOR_OPERATOR_TOKEN}   reads every tenant, manages keys and tokens`,
    '',
    'Send an event (its id makes a resend count once):',
    '',
    `  curl -sS ${ingestUrl}/api/events -H 'Content-Type: application/json' -H 'X-Instrumentation-Key: ${SPOR_KEY}' -d '${JSON.stringify({ events: [event] })}'`,
    '',
    'Query it, in a second terminal or over HTTP:',
    ...elsewhere,
    '',
    `  npx spor sql --tenant ${TENANT} "${sql}"`,
    '  npx spor status',
    `  curl -sS ${queryUrl}/api/query -H 'Content-Type: application/json' -H 'Authorization: Bearer ${SPOR_TOKEN}' -d '${JSON.stringify({ sql })}'`,
    '',
    'Simulate shoppers:  npm run load -- --seconds 30',
    'Ctrl-C stops everything; the data stays.',
    '',
  ].join('\n');
}

/** Ports and pids of a cluster, with what to try. */
function clusterMembers(stack: Stack): string {
  const pids = new Map(stack.processes().map(({ name, pid }) => [name, pid]));
  const rows = stack.addresses().map(({ name, port }) => {
    const pid = pids.get(name) ?? pids.get(`${name}-server`);
    return `  ${name.padEnd(12)} 127.0.0.1:${port}   pid ${pid}`;
  });
  return [
    'The cluster:',
    '',
    ...rows,
    '',
    'Kill or pause any of them (kill -9 <pid>, kill -STOP <pid>): what ends is started again, and no event is lost.',
    '',
  ].join('\n');
}

await runAsProcess('up', up);
