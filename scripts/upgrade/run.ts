import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openStream } from '../../cli/stream.ts';
import type { NatsSettings } from '../../stream/credentials.ts';
import { delay } from '../../runtime/retry.ts';
import { grantAccess, type ShopAccess } from '../access.ts';
import { createLakeRows } from '../demo/lakeRows.ts';
import { compare, faultsOf, quarantineFaults } from '../demo/verify.ts';
import { createLedger, type Ledger } from '../load/ledger.ts';
import { play } from '../load/player.ts';
import { createSender } from '../load/sender.ts';
import { createQueryClient } from '../queryClient.ts';
import { SHOPS } from '../shop/shops.ts';
import { simulate } from '../shop/simulation.ts';
import { startChild } from '../stack/child.ts';
import { allCommitted } from '../stack/committed.ts';
import { identityEnv, operatorSettings, stackIdentities } from '../stack/identities.ts';
import { natsSpec, serviceSpecs } from '../stack/services.ts';
import { createReceived, type Received } from './received.ts';
import { startFront } from './front.ts';
import { startMembers, type Members } from './members.ts';
import { describeStep, planSteps, type Step, type Version } from './order.ts';
import type { Unpacked } from './version.ts';

export interface UpgradeOptions {
  dir: string;
  env: Record<string, string | undefined>;
  versions: Readonly<Record<Version, Unpacked>>;
  /** Mean events per second. */
  rate: number;
  seed: number;
  /** Time under load after each step. */
  settleMs: number;
  signal: AbortSignal;
  log: (line: string) => void;
}

/** Result of an upgrade and the way back. */
export interface UpgradeOutcome {
  ledger: Ledger;
  availability: Received;
  steps: number;
  /** One sentence per broken promise; empty for a good run. */
  faults: string[];
}

/** Two of each service: the least with which one may be away. */
const COPIES = 2;
const SETTINGS = { LEASE_SECONDS: '3', WINDOW_MAX_MS: '500', SHUTDOWN_SECONDS: '20', DUCKDB_MEMORY: '256MiB' };
const BATCH_EVENTS = 10;
const CONNECTIONS = 32;
const BAD_SHARE = 0.02;
const PACE = 0.02;
const COMMIT_MS = 60_000;

/** Runs two versions beside each other, under load, through every step; compares event by event at its turns. */
export async function runUpgrade(options: UpgradeOptions): Promise<UpgradeOutcome> {
  const { dir, log, signal, versions } = options;
  const env = { ...options.env, ...SETTINGS };
  const settings = { dir, env, ports: 'free' as const, log };
  await mkdir(join(dir, 'logs'), { recursive: true });
  const nats = await startChild(await natsSpec(settings));
  try {
    const natsUrl = `nats://127.0.0.1:${nats.facts.port}`;
    const operator = { ...identityEnv(dir, 'operator'), NATS_URL: natsUrl, ACCESS_DIR: stackIdentities(dir).path };
    const spor = (version: Version, ...args: string[]): Promise<void> =>
      runSpor(versions[version], args, { ...process.env, ...operator });
    await spor('before', 'access', 'init'); // the rights that this version knows
    const specs = serviceSpecs(settings, {
      natsUrl,
      lakeUrl: `file:${join(dir, 'lake')}`,
      processors: COPIES,
      others: COPIES,
    });
    const members = await startMembers(specs, versions);
    try {
      const access = await grantAccess({
        nats: await operatorSettings(dir, natsUrl),
        replicas: 1,
        shops: SHOPS,
        label: 'upgrade',
      });
      const ledger = createLedger();
      const availability = createReceived();
      const faults: string[] = [];
      const since = new Date();
      const ended = new AbortController();
      const load = playShops(members, { access, ledger, availability, ...options, signal: ended.signal });
      const names = { before: versions.before.name, now: versions.now.name };
      const steps = planSteps(members.names);
      try {
        await delay(options.settleMs, signal);
        for (const step of steps) {
          signal.throwIfAborted();
          const startedAt = performance.now();
          await take(step, members, spor);
          log(
            `${describeStep(step, names)}: ${((performance.now() - startedAt) / 1_000).toFixed(1)} s, ${ledger.counts.accepted} acknowledged${list(availability.retries)}`,
          );
          await delay(options.settleMs, signal);
          faults.push(
            ...(await unreadable(members, access)),
            ...members.ended.map((name) => `${name} has ended by itself after "${describeStep(step, names)}"`),
          );
          if (faults.length > 0) break;
        }
      } finally {
        ended.abort();
        await load;
      }
      const backlog = await backlogOf(await operatorSettings(dir, natsUrl), signal);
      if (backlog !== undefined) faults.push(`not everything was committed within ${COMMIT_MS / 1_000} s: ${backlog}`);
      await members.replace(members.names.lake[0]!, 'now'); // so that both versions read what both wrote
      faults.push(...(await compareAll(members, { access, ledger, since })));
      return { ledger, availability, steps: steps.length, faults: [...faults, ...sendingFaults(ledger, availability)] };
    } finally {
      await members.stop();
    }
  } finally {
    await nats.stop();
  }
}

/** Waits for the last commits. @returns what is left when the time is up */
async function backlogOf(nats: NatsSettings, signal: AbortSignal): Promise<string | undefined> {
  const connection = await openStream(nats, 'NATS_URL');
  try {
    return await allCommitted(connection, { withinMs: COMMIT_MS, signal });
  } finally {
    await connection.close();
  }
}

async function take(
  step: Step,
  members: Members,
  spor: (version: Version, ...args: string[]) => Promise<void>,
): Promise<void> {
  if (step.kind === 'rights') return spor('now', 'access', 'init');
  if (step.kind === 'schemas') return spor('before', 'schemas', 'accept');
  return members.replace(step.member, step.version);
}

/** Runs the command line of a version. @throws Error with what it said */
async function runSpor(
  { root, node }: Unpacked,
  args: string[],
  env: Record<string, string | undefined>,
): Promise<void> {
  await promisify(execFile)(node, [join(root, 'cli/spor.ts'), ...args], { env, cwd: root });
}

async function playShops(
  members: Members,
  {
    access,
    ledger,
    availability,
    rate,
    seed,
    signal,
  }: Pick<UpgradeOptions, 'rate' | 'seed' | 'signal'> & {
    access: ShopAccess;
    ledger: Ledger;
    availability: Received;
  },
): Promise<void> {
  const front = startFront(members.urls('ingest'));
  const sender = createSender({
    url: front.next,
    keyOf: access.keyOf,
    ledger,
    connections: CONNECTIONS,
    onAccepted: (_, __, atMs) => availability.accepted(atMs),
    onRetry: availability.retried,
  });
  const startMs = Date.now();
  try {
    await play({
      events: simulate({ seed, startMs, untilMs: Infinity, eventsPerSecond: rate, badShare: BAD_SHARE, pace: PACE }),
      sender,
      batchEvents: BATCH_EVENTS,
      connections: CONNECTIONS,
      clock: { startMs, speed: 1 },
      signal,
    });
  } finally {
    sender.close();
    front.stop();
  }
}

/** Tries each query server: an answer of either version must come. */
async function unreadable(members: Members, access: ShopAccess): Promise<string[]> {
  const faults: string[] = [];
  for (const url of members.urls('lake')) {
    for (const { tenantId } of SHOPS) {
      const asked = createQueryClient(url).ask(access.tokenOf(tenantId), 'select count(*) from events');
      await asked.catch((error: unknown) =>
        faults.push(`${url} does not answer ${tenantId}: ${(error as Error).message}`),
      );
    }
  }
  return faults;
}

/** Compares what was acknowledged with what each query server says. */
async function compareAll(
  members: Members,
  { access, ledger, since }: { access: ShopAccess; ledger: Ledger; since: Date },
): Promise<string[]> {
  const faults: string[] = [];
  for (const [index, url] of members.urls('lake').entries()) {
    const reader = members.names.lake[index]!;
    for (const { tenantId } of SHOPS) {
      const rows = createLakeRows(createQueryClient(url), access.tokenOf(tenantId), since);
      faults.push(...faultsOf(reader, compare(tenantId, ledger, await rows.eventIds())));
      const refused = ledger.refused.get(tenantId) ?? new Map<string, number>();
      faults.push(...quarantineFaults(tenantId, refused, await rows.quarantined()));
    }
  }
  return faults;
}

function sendingFaults({ counts, surprises, failures }: Ledger, { refusals, retries }: Received): string[] {
  const [first] = surprises;
  return [
    ...(first
      ? [`${counts.surprising} events got another verdict than expected: ${first.got} instead of ${first.expected}`]
      : []),
    ...(counts.unknown > 0 ? [`${counts.unknown} events got no answer: ${list(failures).slice(2)}`] : []),
    ...(refusals > 0 ? [`${refusals} requests were refused: ${list(retries).slice(2)}`] : []),
  ];
}

function list(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([reason, count]) => `, ${reason} × ${count}`).join('');
}
