import { fork } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { delay } from '../../runtime/retry.ts';
import type { Random } from '../shop/random.ts';
import type { SmallDisk } from './disk.ts';
import { PROCESSORS, type Fleet, type ProcessName, type ProcessorName } from './fleet.ts';
import type { Disk, ChaosFault, Moment, Target } from './plan.ts';
import type { Proxy } from './proxy.ts';
import type { StepEvents } from './stepEvents.ts';

/** Targets of the faults. */
export interface ChaosContext {
  fleet: Fleet;
  stepEvents: StepEvents;
  disks: Partial<Record<Disk, SmallDisk>>;
  /** Chooses one of two processors, if no event names one. */
  random: Random;
  tenants: readonly string[];
  dir: string;
  /** Sends a signal to the S3 service, if it holds the lake; false while it is down. */
  signalS3?: (signal: NodeJS.Signals) => Promise<boolean>;
}

export type Injected = { ran: true; endedAtMs: number } | { ran: false; why: string };

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
  }
}

type Of<Kind extends ChaosFault['kind']> = Extract<ChaosFault, { kind: Kind }>;

/** Waits for a moment, and returns the shard of its step. */
async function moment(at: Moment, { stepEvents }: ChaosContext): Promise<{ shard?: number } | undefined> {
  if ('sign' in at) return stepEvents.next(at.sign, at.count, PATIENCE_MS);
  await delay(at.afterMs);
  return {};
}

function ended(): Injected {
  return { ran: true, endedAtMs: performance.now() };
}

const NO_SIGN: Injected = { ran: false, why: 'the step was not seen' };

function processNames(
  target: Exclude<Target, 's3'> | 'everything',
  { shard }: { shard?: number },
  context: ChaosContext,
): ProcessName[] {
  if (target === 'everything') return ['nats', 'ingest', ...PROCESSORS, 'lake'];
  return [target === 'processor' ? processorOf(shard, context) : target];
}

function processorOf(shard: number | undefined, { fleet, stepEvents, random }: ChaosContext): ProcessorName {
  const owner = shard === undefined ? undefined : stepEvents.ownerPid(shard);
  return PROCESSORS.find((name) => owner !== undefined && fleet.pid(name) === owner) ?? random.pick(PROCESSORS);
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
): Promise<{ name: ProcessorName; pid: number } | { why: string }> {
  const name = random.pick(PROCESSORS);
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
async function compactionDies({ step }: Of<'compaction'>, { fleet, tenants, dir }: ChaosContext): Promise<Injected> {
  const log = openSync(join(dir, 'logs', 'compactor.log'), 'a');
  const program = fileURLToPath(new URL('./compactor.ts', import.meta.url));
  const deadline = performance.now() + PATIENCE_MS;
  try {
    while (performance.now() < deadline) {
      const child = fork(program, [tenants.join(','), step], {
        env: { ...fleet.env, WORK_DIR: join(dir, 'compaction') },
        stdio: ['ignore', log, log, 'ipc'],
      });
      const timer = setTimeout(() => child.kill('SIGKILL'), START_MS);
      const signal = await new Promise((resolve) => child.once('exit', (_, killedBy) => resolve(killedBy)));
      clearTimeout(timer);
      if (signal === 'SIGKILL') return ended();
      await delay(500);
    }
  } finally {
    closeSync(log);
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
  const { [link]: found } = context.fleet.proxies;
  if (!found) return { ran: false, why: 'the lake is not in S3' };
  await moment(at, context);
  const proxy: Proxy = 'disturb' in found ? found : found[context.random.pick(PROCESSORS)];
  proxy.disturb(mode);
  await delay(forMs);
  proxy.restore();
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
  if (disk === 'stream') context.fleet.signal('nats', 'SIGKILL');
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
