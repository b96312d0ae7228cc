import { jetstreamManager } from '@nats-io/jetstream';
import { shownLine } from '../runtime/plainText.ts';
import { command, EXIT, type Context } from './command.ts';
import { formatDuration } from './duration.ts';
import { checkServices, type ServiceHealth } from './serviceHealth.ts';
import { LakeError } from '../lake/errors.ts';
import { historyEntry, readRawEntries, type HistoryEntry } from '../lake/delta/history.ts';
import { tableRoot } from '../lake/layout/tables.ts';
import type { ParkedTenant } from '../stream/progress.ts';
import type { NatsConnection } from '../stream/nats.ts';
import { shardRange } from '../stream/shardCount.ts';
import type { ShardRange } from '../schemas/subjects.ts';
import { readShards, type ShardStatus } from '../stream/shardStatus.ts';
import { withAudit } from './lakeAudit.ts';
import type { Completeness } from '../query/audit/completeness.ts';
import { requiredId } from './secrets.ts';
import { withStorage } from './storage.ts';
import { readEnvironment } from './settings.ts';
import { withStream, type StreamSettings } from './stream.ts';
import { formatTable } from './table.ts';
import { requireTenants } from './tenant.ts';

const USAGE = `Usage: spor status [--tenant <id>] [--json]

Shows for each shard its stream's first and last sequence, bytes, replicas and incarnation (its creation), the number of uncommitted
messages (lag) and the age of the oldest, its owner, and its last commit. Also asks the services with known addresses (INGEST_URL, LAKE_QUERY_URL, PROCESSOR_URL;
"npm run up" sets them).

With --tenant it shows up to when that tenant's events are in the lake, by the stream server's clock. It also shows the last
complete day of receipt, and the first uncommitted event. It says if the tenant is parked, or if other tools have written to its events.

Exit code 1 if something needs attention: a service that is not ready, a shard that is set back (stream_set_back), or
without an owner or a stream, or a parked tenant, whose table cannot be written.
`;

export const statusCommand = command({
  usage: USAGE,
  options: { tenant: { type: 'string' } },
  async run({ json, tenant }, _, context) {
    if (tenant !== undefined) return tenantStatus(requiredId('--tenant', tenant), { json: json ?? false }, context);
    const { values } = readEnvironment(context);
    const shards = await withStream(context, async (connection, settings) =>
      readShards(connection, await rangeOr(settings, connection), context.now()),
    );
    const services = await checkServices(values);
    const attention = [...shards.flatMap(shardAttention), ...services.flatMap(serviceAttention)];
    if (json) context.out(`${JSON.stringify({ shards, services, attention })}\n`);
    else print(context, { shards, services, attention });
    return attention.length === 0 ? EXIT.done : EXIT.failed;
  },
});

/** Shards in use; before the first start, those of the settings. */
async function rangeOr({ shards }: StreamSettings, connection: NatsConnection): Promise<ShardRange> {
  const range = await shardRange(await jetstreamManager(connection));
  return range.shards > 0 ? range : { first: 0, shards };
}

async function tenantStatus(tenantId: string, { json }: { json: boolean }, context: Context): Promise<number> {
  await requireTenants(context, [tenantId]);
  const hands = await readHands(tenantId, context);
  const complete = await completeness(tenantId, hands, context);
  if (json) context.out(`${JSON.stringify({ ...complete, ...hands })}\n`);
  else if (complete) printTenant(complete, context);
  if (!json) printHands(tenantId, hands, context);
  return complete?.fault || hands.parked ? EXIT.failed : EXIT.done;
}

/** Other tools in a tenant's events table. */
interface Hands {
  /** Why the tenant is parked, if it is. */
  parked?: ParkedTenant;
  /** Commits of other tools among the newest. */
  foreign: HistoryEntry[];
}

const NEWEST_COMMITS = 200;

async function readHands(tenantId: string, context: Context): Promise<Hands> {
  const shards = await withStream(context, async (connection, settings) =>
    readShards(connection, await rangeOr(settings, connection), context.now()),
  );
  const parked = shards.flatMap((shard) => shard.parked ?? []).find((tenant) => tenant.tenantId === tenantId);
  const entries = await withStorage(context, (storage) =>
    readRawEntries(storage, tableRoot('events', tenantId), { newest: NEWEST_COMMITS }),
  );
  const foreign = entries.map(historyEntry).filter(({ isForeign }) => isForeign);
  return { ...(parked ? { parked } : {}), foreign };
}

/** Completeness of a tenant; undefined for a parked one whose table cannot be read. */
async function completeness(tenantId: string, { parked }: Hands, context: Context): Promise<Completeness | undefined> {
  try {
    return await withAudit(context, (audit) => audit.completeness(tenantId));
  } catch (error) {
    if (parked && error instanceof LakeError && error.code === parked.code) return undefined;
    throw error;
  }
}

function printHands(tenantId: string, { parked, foreign }: Hands, { out }: Context): void {
  if (parked) out(`\n${shownLine(parkedLine(parked))}\n`);
  if (foreign.length === 0) return;
  const tools = [...new Set(foreign.map(({ by }) => by))].join('; ');
  const count = `${foreign.length} of the newest ${NEWEST_COMMITS} commits to the events are of other tools`;
  out(`\n${shownLine(`${count}: ${tools}. See: npx spor table history --foreign --tenant ${tenantId}`)}\n`);
}

function printTenant(complete: Completeness, context: Context): void {
  const { acknowledgedBefore, receivedBefore, completeThrough, waiting, fault } = complete;
  const rows = [
    ['every event acknowledged before', acknowledgedBefore ?? unknownBecause(complete)],
    ['every event received before', receivedBefore],
    ['complete through the day', completeThrough],
    ['first uncommitted event since', waiting ? `${waiting.acknowledgedAt}, message ${waiting.sequence}` : 'none'],
  ];
  context.out(formatTable(['in the lake', complete.tenantId], rows));
  if (fault) context.out(`\n${fault.message}\n`);
}

function unknownBecause({ fault, clocksDiffer, waiting }: Completeness): string {
  if (fault) return 'unknown';
  if (clocksDiffer !== undefined) return `unknown: the clocks differ: ${clocksDiffer}`;
  return waiting ? 'unknown: the stream stamped a message out of order' : 'unknown: there is no stream yet';
}

function shardAttention({ shard, stream, owner, fault, parked = [] }: ShardStatus): string[] {
  if (fault) return [fault];
  if (!stream) return [`shard ${shard} has no stream yet: an Event Receiver creates it at its first start`];
  const waiting = parked.map(parkedLine);
  return owner === undefined ? [`shard ${shard} has no owner: start a processor`, ...waiting] : waiting;
}

function parkedLine({ tenantId, since, code, message }: ParkedTenant): string {
  return `tenant ${tenantId} is parked since ${since}: ${code}: ${message}. See: npx spor table history --tenant ${tenantId}`;
}

function serviceAttention({ name, url, state }: ServiceHealth): string[] {
  return state === 'ready' ? [] : [`${name} at ${url}: ${state}`];
}

function print(
  { out, now }: Context,
  { shards, services, attention }: { shards: ShardStatus[]; services: ServiceHealth[]; attention: string[] },
): void {
  const ago = (time: string | undefined): string =>
    time === undefined ? '' : `${formatDuration(now() - Date.parse(time))} ago`;
  const rows = shards.map(({ shard, stream, lagMessages, behindMs, owner, lastCommit }) => [
    shard,
    stream?.firstSequence,
    stream?.lastSequence,
    stream?.bytes,
    stream?.replicas,
    stream?.created.slice(0, 19),
    lagMessages,
    behindMs === undefined ? '' : formatDuration(behindMs),
    ago(lastCommit),
    owner,
  ]);
  out(
    formatTable(
      ['shard', 'first', 'last', 'bytes', 'replicas', 'incarnation', 'lag', 'oldest', 'last commit', 'owner'],
      rows,
    ),
  );
  if (services.length > 0)
    out(
      `\n${formatTable(
        ['service', 'address', 'state'],
        services.map(({ name, url, state }) => [name, url, state]),
      )}`,
    );
  if (attention.length > 0) out(`\n${attention.map((line) => `${shownLine(line)}\n`).join('')}`);
}
