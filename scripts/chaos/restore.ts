import { cp, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { delay } from '../../runtime/retry.ts';
import { readStreamsRecord, type Loss } from '../../stream/streamsRecord.ts';
import { ended, type ChaosContext, type Injected } from './context.ts';
import type { ChaosFault } from './fault.ts';
import type { ProcessName } from './fleet.ts';
import { copyLake } from './lakeCopy.ts';

type RestoreFault = Extract<ChaosFault, { kind: 'restore' }>;

/** Time in which processors stand still, so that acknowledged events are in the stream alone. */
const UNCOMMITTED_MS = 400;
/** Time in which a restored stream takes events before a processor sees it. */
const GROWING_MS = 1_500;

/** Lets a store go back to an older state, and does what docs/operator.md tells the operator. */
export async function restore({ restore: what, forMs }: RestoreFault, context: ChaosContext): Promise<Injected> {
  switch (what) {
    case 'stream older':
      return putStreamBack(context, { forMs, killed: [], growsMs: 0 });
    case 'stream older and all restarted':
      return putStreamBack(context, { forMs, killed: servicesOf(context), growsMs: 0 });
    case 'stream older and grown':
      return putStreamBack(context, { forMs, killed: context.fleet.members('ingest'), growsMs: GROWING_MS });
    case 'stream emptied':
      return restoreBackup(context, forMs);
    case 'lake older':
      return putLakeBack(context, forMs);
  }
}

async function putStreamBack(
  context: ChaosContext,
  { forMs, killed, growsMs }: { forMs: number; killed: readonly ProcessName[]; growsMs: number },
): Promise<Injected> {
  const { fleet, dir } = context;
  const [server] = fleet.members('nats');
  const store = fleet.storeDir(server!);
  const copy = join(dir, 'store-copy');
  const processors = fleet.members('processor');
  await rm(copy, { recursive: true, force: true });
  await fleet.whileDown([server!], () => cp(store, copy, { recursive: true, preserveTimestamps: true }));
  const copiedMs = Date.now();
  await delay(forMs);
  for (const name of processors) fleet.signal(name, 'SIGSTOP');
  await delay(UNCOMMITTED_MS);
  await fleet.whileDown([server!], async () => {
    await emptyFolder(store);
    await cp(copy, store, { recursive: true, preserveTimestamps: true });
  });
  const times = { copiedMs, returnedMs: Date.now() };
  for (const name of killed) fleet.signal(name, 'SIGKILL');
  // Receivers alone remember the newest messages. Without them Spor cannot know how much is lost.
  if (killed.length > 0 && context.acceptsLoss) context.decisions.acceptLoss(times);
  await delay(growsMs);
  for (const name of processors) fleet.signal(name, 'SIGCONT');
  // It finds a stream that the lake contradicts, before anybody has noted it.
  await context.operator.untilDone(['stream', 'carry-over']);
  return ended({
    tend: () => carryOver(context),
    afterCommit: () => acceptLoss(context, times),
  });
}

/** Services other than stream servers. */
function servicesOf({ fleet }: ChaosContext): ProcessName[] {
  return [...fleet.members('ingest'), ...fleet.members('processor'), ...fleet.members('lake')];
}

/** Carries over, if a stream is noted as set back. */
async function carryOver({ connection, operator }: ChaosContext): Promise<void> {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const noted = await readStreamsRecord(manager).catch(() => undefined); // the next look tells
  if (noted && Object.keys(noted.setBack).length > 0) await operator.untilDone(['stream', 'carry-over']);
}

/** Ends the mention of losses, once the senders have sent again what they have. */
async function acceptLoss(
  { operator, decisions, acceptsLoss }: ChaosContext,
  times: { copiedMs: number; returnedMs: number },
): Promise<void> {
  if (!acceptsLoss) return;
  const { accepted } = (await operator.untilDone(['stream', 'accept-loss'])) as { accepted: Loss[] };
  for (const known of accepted) decisions.acceptLoss({ ...times, known });
}

/** Loses the stream server for good, and puts a backup into an empty one. */
async function restoreBackup(context: ChaosContext, forMs: number): Promise<Injected> {
  const { fleet, dir, operator } = context;
  const [server] = fleet.members('nats');
  const backup = join(dir, `backup-${crypto.randomUUID()}`);
  const copiedMs = Date.now();
  await operator.untilDone(['backup', backup]);
  await delay(forMs);
  let returnedMs = copiedMs;
  await fleet.whileDown(servicesOf(context), async () => {
    await fleet.whileDown([server!], () => emptyFolder(fleet.storeDir(server!)));
    returnedMs = Date.now();
    await operator.untilDone(['restore', backup]);
  });
  await rm(backup, { recursive: true, force: true });
  return ended({ afterCommit: () => acceptLoss(context, { copiedMs, returnedMs }) });
}

/** Puts an older copy of the lake in place, and reads the streams again. */
async function putLakeBack(
  { fleet, dir, storage, operator, withoutAudits }: ChaosContext,
  forMs: number,
): Promise<Injected> {
  const copy = await copyLake(storage, join(dir, 'older-lake'));
  await delay(forMs);
  const readers = [...fleet.members('processor'), ...fleet.members('lake')];
  const putBack = async (): Promise<void> => {
    // It refuses while a lease of a processor has not expired.
    await operator.untilDone(['stream', 'rewind']);
    await copy.putBack();
  };
  await withoutAudits(() => fleet.whileDown(readers, putBack));
  await copy.remove();
  return ended();
}

/** Empties a folder, which may be a disk of its own. */
export async function emptyFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true });
}
