import { closeSync, openSync, readdirSync, readFileSync, readSync, writeSync } from 'node:fs';
import { delay } from '../../runtime/retry.ts';

/**
 * Sets the wall clock of one process, by its own vDSO (vdso(7)).
 *
 * Programs that are no Node.js, such as nats-server, read the time there. The function that tells it is replaced by a system
 * call that adds an offset to `CLOCK_REALTIME`. Other clocks, and other processes, go on as they were.
 */
export interface ProcessClock {
  /** Shift of the clock, in milliseconds; kept in whole seconds, up to 68 years. */
  set: (offsetMs: number) => void;
}

interface Region {
  from: number;
  size: number;
}

/** Reason why no process's clock can be set here; undefined if it can. */
export function clockObstacle(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'clocks of processes are set on x86-64 Linux only';
  return process.getuid?.() === 0 ? undefined : 'only root may set the clock of a process';
}

/**
 * Prepares the clock of a process, which stands still meanwhile.
 * @throws Error where the process has ended, or has no vDSO
 */
export async function openProcessClock(pid: number): Promise<ProcessClock> {
  const told = clockFunction(pid);
  await whileOutside(pid, told, () => write(pid, told.from, CODE));
  return {
    set(offsetMs) {
      const seconds = Buffer.alloc(4);
      seconds.writeInt32LE(Math.round(offsetMs / 1_000));
      write(pid, told.from + OFFSET_AT, seconds);
    },
  };
}

/** `clock_gettime(id, time)` as a system call, and `time->tv_sec += offset` where id is CLOCK_REALTIME. */
const CODE = Buffer.concat([
  Buffer.of(0xb8, 0xe4, 0, 0, 0), // mov eax, 228 (clock_gettime)
  Buffer.of(0x0f, 0x05), // syscall
  Buffer.of(0x85, 0xff), // test edi, edi
  Buffer.of(0x75, 0x07), // jne to the last instruction
  Buffer.of(0x48, 0x81, 0x06, 0, 0, 0, 0), // add qword [rsi], offset
  Buffer.of(0xc3), // ret
]);
const OFFSET_AT = 14;
const TRIES = 100;
const RETRY_MS = 5;

/** Runs a step while no thread of a process is within a region of its memory. */
async function whileOutside(pid: number, region: Region, step: () => void): Promise<void> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    process.kill(pid, 'SIGSTOP');
    try {
      const counters = readdirSync(`/proc/${pid}/task`).map((thread) => programCounter(pid, thread));
      const isOutside = (counter: number | undefined): boolean =>
        counter !== undefined && (counter < region.from || counter >= region.from + region.size);
      if (counters.every(isOutside)) return step();
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await delay(RETRY_MS);
  }
  throw new Error(`process ${pid} never stood still outside its clock`);
}

/** Program counter of a thread that stands still (proc(5), /proc/pid/syscall); undefined while it runs. */
function programCounter(pid: number, thread: string): number | undefined {
  const fields = readFileSync(`/proc/${pid}/task/${thread}/syscall`, 'utf8').trim().split(' ');
  return fields.length < 3 ? undefined : Number(fields.at(-1));
}

/** Place of `__vdso_clock_gettime` in a process, by the symbols of its vDSO (elf(5), 64 bits). */
function clockFunction(pid: number): Region {
  const line = readFileSync(`/proc/${pid}/maps`, 'utf8')
    .split('\n')
    .find((mapped) => mapped.endsWith('[vdso]'));
  const [from, to] = (line?.split(' ')[0] ?? '').split('-').map((address) => Number.parseInt(address, 16));
  if (from === undefined || to === undefined) throw new Error(`process ${pid} has no vDSO`);
  const image = read(pid, from, to - from);
  const word = (at: number): number => Number(image.readBigUInt64LE(at));
  const sectionAt = (index: number): number => word(40) + index * image.readUInt16LE(58);
  const sections = Array.from({ length: image.readUInt16LE(60) }, (_, index) => sectionAt(index));
  const symbols = sections.find((at) => image.readUInt32LE(at + 4) === DYNAMIC_SYMBOLS);
  if (symbols === undefined) throw new Error(`the vDSO of process ${pid} names nothing`);
  const names = word(sectionAt(image.readUInt32LE(symbols + 40)) + 24);
  for (let at = word(symbols + 24); at < word(symbols + 24) + word(symbols + 32); at += SYMBOL_BYTES) {
    const name = names + image.readUInt32LE(at);
    if (image.toString('latin1', name, image.indexOf(0, name)) === '__vdso_clock_gettime')
      return { from: from + word(at + 8), size: word(at + 16) };
  }
  throw new Error(`the vDSO of process ${pid} has no clock`);
}

/** Type of a section, SHT_DYNSYM. */
const DYNAMIC_SYMBOLS = 11;
const SYMBOL_BYTES = 24;

function read(pid: number, at: number, bytes: number): Buffer {
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    const found = Buffer.alloc(bytes);
    readSync(memory, found, 0, bytes, at);
    return found;
  } finally {
    closeSync(memory);
  }
}

function write(pid: number, at: number, bytes: Buffer): void {
  const memory = openSync(`/proc/${pid}/mem`, 'r+');
  try {
    writeSync(memory, bytes, 0, bytes.length, at);
  } finally {
    closeSync(memory);
  }
}
