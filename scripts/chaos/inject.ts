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

/** What faults are done to. */
export interface ChaosContext {
  fleet: Fleet;
  stepEvents: StepEvents;
  disks: Partial<Record<Disk, SmallDisk>>;
  /** Which of two processors, where no sign says so. */
  random: Random;
  tenants: readonly string[];
  dir: string;
  /** Sends a signal to the S3 service, where the lake is in one; false where it is down. */
  signalS3?: (signal: NodeJS.Signals) => Promise<boolean>;
}

export type Injected = { ran: true; endedAtMs: number } | { ran: false; why: string };

/** Longest wait for a sign or a step. */
const PATIENCE_MS = 30_000;
const START_MS = 30_000;
const POLL_MS = 20;

/** Does one fault, and resolves when it is over; `endedAtMs` is when the last of it was undone, by `performance.now()`. */
export async function inject(fault: ChaosFault, arena: ChaosContext): Promise<Injected> {
  switch (fault.kind) {
    case 'kill':
      return kill(fault, arena);
    case 'die':
      return die(fault, arena);
    case 'expire-lease':
      return expireLease(fault, arena);
    case 'compaction':
      return compactionDies(fault, arena);
    case 'pause':
      return pause(fault, arena);
    case 'link':
      return disturb(fault, arena);
    case 'disk':
      return fillDisk(fault, arena);
    case 'clock':
      return jump(fault, arena);
  }
}

type Of<Kind extends ChaosFault['kind']> = Extract<ChaosFault, { kind: Kind }>;

/** Waits for a moment; the shard that its sign was about. */
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
  arena: ChaosContext,
): ProcessName[] {
  if (target === 'everything') return ['nats', 'ingest', ...PROCESSORS, 'lake'];
  return [target === 'processor' ? processorOf(shard, arena) : target];
}

function processorOf(shard: number | undefined, { fleet, stepEvents, random }: ChaosContext): ProcessorName {
  const owner = shard === undefined ? undefined : stepEvents.ownerPid(shard);
  return PROCESSORS.find((name) => owner !== undefined && fleet.pid(name) === owner) ?? random.pick(PROCESSORS);
}

async function kill({ target, at }: Of<'kill'>, arena: ChaosContext): Promise<Injected> {
  const seen = await moment(at, arena);
  if (!seen) return NO_SIGN;
  if (target === 's3')
    return (await arena.signalS3?.('SIGKILL')) ? ended() : { ran: false, why: 'S3 was down already' };
  const hit = processNames(target, seen, arena).filter((name) => arena.fleet.signal(name, 'SIGKILL'));
  return hit.length > 0 ? ended() : { ran: false, why: `${target} was down already` };
}

async function die({ step, count }: Of<'die'>, arena: ChaosContext): Promise<Injected> {
  const armed = await startArmed(`${step}:${count}`, arena);
  if ('why' in armed) return { ran: false, why: armed.why };
  const { name, pid } = armed;
  if (await within(PATIENCE_MS, () => arena.fleet.pid(name) !== pid)) return ended();
  arena.fleet.signal(name, 'SIGKILL'); // or it would die in a later cycle
  return { ran: false, why: `${name} did not reach the step` };
}

/** A zombie made at the worst of moments: it stops itself at a step, and wakes when others have its shards. */
async function expireLease({ step, count, forMs }: Of<'expire-lease'>, arena: ChaosContext): Promise<Injected> {
  const armed = await startArmed(`${step}:${count}:stop`, arena);
  if ('why' in armed) return { ran: false, why: armed.why };
  const { name, pid } = armed;
  if (!(await within(PATIENCE_MS, () => isStopped(pid)))) {
    if (arena.fleet.pid(name) === pid) arena.fleet.signal(name, 'SIGKILL');
    return { ran: false, why: `${name} did not reach the step` };
  }
  await delay(forMs);
  if (arena.fleet.pid(name) === pid) arena.fleet.signal(name, 'SIGCONT');
  return ended();
}

/** Kills one of the processors, and has it start again with a failpoint. */
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

/** Whether a process is stopped by a signal (proc(5), the state after the name in brackets). */
function isStopped(pid: number): boolean {
  try {
    return /\) T /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false; // it has ended, or this system has no such files
  }
}

/** Compacts beside the flushes, again and again until there is something to do, and dies of it. */
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

async function pause({ target, at, forMs }: Of<'pause'>, arena: ChaosContext): Promise<Injected> {
  const seen = await moment(at, arena);
  if (!seen) return NO_SIGN;
  if (target === 's3') return pauseS3(forMs, arena);
  const [name] = processNames(target, seen, arena);
  const pid = arena.fleet.pid(name!);
  if (pid === undefined || !arena.fleet.signal(name!, 'SIGSTOP'))
    return { ran: false, why: `${name} was down already` };
  await delay(forMs);
  // Another fault may have killed it meanwhile; then its successor is not the one to wake.
  if (arena.fleet.pid(name!) === pid) arena.fleet.signal(name!, 'SIGCONT');
  return ended();
}

async function pauseS3(forMs: number, { signalS3 }: ChaosContext): Promise<Injected> {
  if (!(await signalS3?.('SIGSTOP'))) return { ran: false, why: 'S3 was down already' };
  await delay(forMs);
  await signalS3?.('SIGCONT');
  return ended();
}

async function disturb({ link, mode, at, forMs }: Of<'link'>, arena: ChaosContext): Promise<Injected> {
  const { [link]: found } = arena.fleet.proxies;
  if (!found) return { ran: false, why: 'the lake is not in S3' };
  await moment(at, arena);
  const proxy: Proxy = 'disturb' in found ? found : found[arena.random.pick(PROCESSORS)];
  proxy.disturb(mode);
  await delay(forMs);
  proxy.restore();
  return ended();
}

async function fillDisk({ disk, at, forMs }: Of<'disk'>, arena: ChaosContext): Promise<Injected> {
  const found = arena.disks[disk];
  if (!found) return { ran: false, why: `the folder of ${disk} is not on a small disk of its own` };
  await moment(at, arena);
  await found.fill();
  await delay(forMs);
  await found.free();
  // nats-server 2.15 refuses every write to a stream after one that found no room, until it is started again: what an
  // operator does who has made room, this does.
  if (disk === 'stream') arena.fleet.signal('nats', 'SIGKILL');
  return ended();
}

async function jump({ target, byMs, at, forMs }: Of<'clock'>, arena: ChaosContext): Promise<Injected> {
  await moment(at, arena);
  const [name] = processNames(target, {}, arena);
  arena.fleet.setClock(name!, byMs);
  await delay(forMs);
  arena.fleet.setClock(name!, 0);
  return ended();
}
