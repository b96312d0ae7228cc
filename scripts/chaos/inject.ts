import { readFileSync } from 'node:fs';
import { delay } from '../../runtime/retry.ts';
import { shuffled } from '../shop/random.ts';
import { FLEET_ROLES, type ProcessName } from './fleet.ts';
import { runCompaction } from './compaction.ts';
import { ended, type ChaosContext, type Injected } from './context.ts';
import type { ChaosFault, Moment, Target } from './fault.ts';
import { expireByWrongClock, operate } from './operations.ts';
import { emptyFolder, restore } from './restore.ts';

/** Longest wait for a step. */
const PATIENCE_MS = 30_000;
const START_MS = 30_000;
const POLL_MS = 20;

/**
 * Injects one fault, and resolves when it is over.
 *
 * `endedAtMs` is the time of its last restoration, by `performance.now()`.
 */
export async function inject(fault: ChaosFault, context: ChaosContext): Promise<Injected> {
  switch (fault.kind) {
    case 'kill':
      return kill(fault, context);
    case 'die':
      return die(fault, context);
    case 'expire-lease':
      return expireLease(fault, context);
    case 'compaction':
      return compactionDies(fault, context);
    case 'pause':
      return pause(fault, context);
    case 'link':
      return disturb(fault, context);
    case 'disk':
      return fillDisk(fault, context);
    case 'clock':
      return jump(fault, context);
    case 'operate':
      await moment(fault.at, context);
      return operate(fault.operation, context);
    case 'restore':
      await moment(fault.at, context);
      return restore(fault, context);
    case 'wipe':
      return wipe(fault, context);
    case 'expire by a wrong clock':
      await moment(fault.at, context);
      return expireByWrongClock(fault.byMs, context);
  }
}

type Of<Kind extends ChaosFault['kind']> = Extract<ChaosFault, { kind: Kind }>;

/** Waits for a moment, and returns the shard of its step. */
async function moment(at: Moment, { stepEvents }: ChaosContext): Promise<{ shard?: number } | undefined> {
  if ('sign' in at) return stepEvents.next(at.sign, at.count, PATIENCE_MS);
  await delay(at.afterMs);
  return {};
}

const NO_SIGN: Injected = { ran: false, why: 'the step was not seen' };

/** Processes of a target; of several in a role, one. */
function processNames(
  target: Exclude<Target, 's3'> | 'everything' | 'majority',
  { shard }: { shard?: number },
  context: ChaosContext,
): readonly ProcessName[] {
  const { fleet, random } = context;
  if (target === 'everything') return FLEET_ROLES.flatMap((role) => fleet.members(role));
  if (target === 'majority') return shuffled(fleet.members('nats'), random).slice(1);
  return [target === 'processor' ? processorOf(shard, context) : random.pick(fleet.members(target))];
}

function processorOf(shard: number | undefined, { fleet, stepEvents, random }: ChaosContext): ProcessName {
  const owner = shard === undefined ? undefined : stepEvents.ownerPid(shard);
  const processors = fleet.members('processor');
  return processors.find((name) => owner !== undefined && fleet.pid(name) === owner) ?? random.pick(processors);
}

async function kill({ target, at }: Of<'kill'>, context: ChaosContext): Promise<Injected> {
  const seen = await moment(at, context);
  if (!seen) return NO_SIGN;
  if (target === 's3')
    return (await context.signalS3?.('SIGKILL')) ? ended() : { ran: false, why: 'S3 was down already' };
  const hit = processNames(target, seen, context).filter((name) => context.fleet.signal(name, 'SIGKILL'));
  return hit.length > 0 ? ended() : { ran: false, why: `${target} was down already` };
}

async function die({ step, count }: Of<'die'>, context: ChaosContext): Promise<Injected> {
  const armed = await startArmed(`${step}:${count}`, context);
  if ('why' in armed) return { ran: false, why: armed.why };
  const { name, pid } = armed;
  if (await within(PATIENCE_MS, () => context.fleet.pid(name) !== pid)) return ended();
  context.fleet.signal(name, 'SIGKILL'); // or it would die in a later cycle
  return { ran: false, why: `${name} did not reach the step` };
}

/** Stops a processor at a step, until others own its shards. */
async function expireLease({ step, count, forMs }: Of<'expire-lease'>, context: ChaosContext): Promise<Injected> {
  const armed = await startArmed(`${step}:${count}:stop`, context);
  if ('why' in armed) return { ran: false, why: armed.why };
  const { name, pid } = armed;
  if (!(await within(PATIENCE_MS, () => isStopped(pid)))) {
    if (context.fleet.pid(name) === pid) context.fleet.signal(name, 'SIGKILL');
    return { ran: false, why: `${name} did not reach the step` };
  }
  await delay(forMs);
  if (context.fleet.pid(name) === pid) context.fleet.signal(name, 'SIGCONT');
  return ended();
}

/** Kills one of the processors, and restarts it with a fail point. */
async function startArmed(
  setting: string,
  { fleet, random }: ChaosContext,
): Promise<{ name: ProcessName; pid: number } | { why: string }> {
  const name = random.pick(fleet.members('processor'));
  const before = fleet.starts(name);
  fleet.arm(name, { SPOR_FAILPOINT: setting });
  fleet.signal(name, 'SIGKILL');
  const started = await fleet.restarted(name, before, START_MS);
  const pid = fleet.pid(name);
  return started && pid !== undefined ? { name, pid } : { why: `${name} did not start` };
}

async function within(ms: number, condition: () => boolean): Promise<boolean> {
  const deadline = performance.now() + ms;
  while (performance.now() < deadline) {
    if (condition()) return true;
    await delay(POLL_MS);
  }
  return false;
}

/** Whether a signal has stopped a process (proc(5), the state). */
function isStopped(pid: number): boolean {
  try {
    return /\) T /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false; // it has ended, or this system has no such files
  }
}

/** Compacts beside flushes until there is work, and dies in it. */
async function compactionDies({ step }: Of<'compaction'>, context: ChaosContext): Promise<Injected> {
  const deadline = performance.now() + PATIENCE_MS;
  while (performance.now() < deadline) {
    if (await runCompaction({ step }, context)) return ended();
    await delay(500);
  }
  return { ran: false, why: 'no compaction reached the step' };
}

async function pause({ target, at, forMs }: Of<'pause'>, context: ChaosContext): Promise<Injected> {
  const seen = await moment(at, context);
  if (!seen) return NO_SIGN;
  if (target === 's3') return pauseS3(forMs, context);
  const [name] = processNames(target, seen, context);
  const pid = context.fleet.pid(name!);
  if (pid === undefined || !context.fleet.signal(name!, 'SIGSTOP'))
    return { ran: false, why: `${name} was down already` };
  await delay(forMs);
  // Another fault may have killed the process, whose successor must not be woken.
  if (context.fleet.pid(name!) === pid) context.fleet.signal(name!, 'SIGCONT');
  return ended();
}

async function pauseS3(forMs: number, { signalS3 }: ChaosContext): Promise<Injected> {
  if (!(await signalS3?.('SIGSTOP'))) return { ran: false, why: 'S3 was down already' };
  await delay(forMs);
  await signalS3?.('SIGCONT');
  return ended();
}

async function disturb({ link, mode, at, forMs }: Of<'link'>, context: ChaosContext): Promise<Injected> {
  const { [link]: found } = context.fleet.links;
  if (!found) return { ran: false, why: 'there is no such link' };
  await moment(at, context);
  const proxies = context.random.pick(found);
  for (const proxy of proxies) proxy.disturb(mode);
  await delay(forMs);
  for (const proxy of proxies) proxy.restore();
  return ended();
}

/** Starts a stream server of a cluster again with an empty store. */
async function wipe({ at }: Of<'wipe'>, context: ChaosContext): Promise<Injected> {
  await moment(at, context);
  const { fleet, random } = context;
  const name = random.pick(fleet.members('nats'));
  await fleet.whileDown([name], () => emptyFolder(fleet.storeDir(name)));
  return ended();
}

async function fillDisk({ disk, at, forMs }: Of<'disk'>, context: ChaosContext): Promise<Injected> {
  const found = context.disks[disk];
  if (!found) return { ran: false, why: `the folder of ${disk} is not on a small disk of its own` };
  await moment(at, context);
  await found.fill();
  await delay(forMs);
  await found.free();
  // nats-server 2.15 fails every write to a stream after a full disk, so an operator restarts it.
  if (disk === 'stream') for (const name of context.fleet.members('nats')) context.fleet.signal(name, 'SIGKILL');
  return ended();
}

async function jump({ target, byMs, at, forMs }: Of<'clock'>, context: ChaosContext): Promise<Injected> {
  await moment(at, context);
  const [name] = processNames(target, {}, context);
  const { fleet } = context;
  const pid = fleet.pid(name!);
  if (pid === undefined) return { ran: false, why: `${name} was down already` };
  await fleet.setClock(name!, byMs);
  await delay(forMs);
  // Another fault may have killed the process, whose successor has the right time.
  if (fleet.pid(name!) === pid) await fleet.setClock(name!, 0);
  return ended();
}
