import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { newSecret } from '../../schemas/keys.ts';
import type { StackProcess } from '../stack/child.ts';
import { processUse } from './procStats.ts';
import { spread, type Result } from './report.ts';
import { sampleEvents } from './sampleEvents.ts';
import { PROGRAMS, startService, urlOf, type BenchOptions } from './services.ts';
import { wrk, type Load } from './wrk.ts';

const CONNECTIONS = 64;
/** One event in so many has a null that must be left out. */
const SLOPPY_EVERY = 20;
const REACH = 0.95;

/** A receiver that stores nothing, and the load that it gets. */
interface Side {
  receiver: StackProcess;
  events: readonly string[];
}

/**
 * The cost of normalising: processor time of an event in a receiver that stores nothing.
 *
 * It is compared with the same receiver that only validates, in turn. Processor time is measured, not throughput, so
 * that other work on the machine matters less.
 */
export async function benchNormalise(options: BenchOptions): Promise<Result[]> {
  const running: StackProcess[] = [];
  await mkdir(join(options.dir, 'logs'));
  const key = newSecret('ik');
  const start = async (name: string, judge: Record<string, string>): Promise<StackProcess> => {
    const receiver = await startService(name, PROGRAMS.discard, options, { BENCH_KEYS: key, ...judge });
    running.push(receiver);
    return receiver;
  };
  try {
    const normalising = await start('normalising', {});
    const strict = await start('strict', { BENCH_JUDGE: 'strict' });
    const events = sampleEvents();
    const sloppy = events.map((event, index) => (index % SLOPPY_EVERY === 0 ? withNull(event) : event));
    const clean = { receiver: normalising, events };
    const plain = await compared('events that need no correction, against only validating', clean, {
      receiver: strict,
      events,
    });
    return [
      { ...plain, reach: REACH },
      await compared(
        `with a null in one event of ${SLOPPY_EVERY}, against none`,
        { receiver: normalising, events: sloppy },
        clean,
      ),
    ];
  } finally {
    for (const child of running.reverse()) await child.stop();
  }

  async function compared(name: string, a: Side, b: Side): Promise<Result> {
    await microsOf({ ...a, seconds: 2 });
    await microsOf({ ...b, seconds: 2 });
    const measured: { a: number; b: number }[] = [];
    for (let round = 0; round < options.rounds; round++) {
      const pair = { a: await microsOf(a), b: await microsOf(b) };
      options.log(`${name}: ${pair.a.toFixed(2)} against ${pair.b.toFixed(2)} µs an event`);
      measured.push(pair);
    }
    const ratio = spread(measured.map((pair) => pair.b / pair.a));
    const times = [spread(measured.map((pair) => pair.a)), spread(measured.map((pair) => pair.b))];
    const detail = `${ratio.text}; ${times[0]!.text} against ${times[1]!.text} µs of processor time an event`;
    return { name, value: ratio.median, unit: '×', detail };
  }

  /** Processor time of an event in a receiver, in microseconds. */
  async function microsOf({
    receiver,
    events,
    seconds = options.seconds,
  }: Side & { seconds?: number }): Promise<number> {
    const used = (): number => processUse([{ name: 'receiver', pid: receiver.pid }])[0]!.cpuSeconds;
    const load: Load = {
      url: urlOf(receiver),
      keys: [key],
      events,
      eventsPerPost: 20,
      connections: CONNECTIONS,
      seconds,
    };
    const before = used();
    const { requests, refused, socketErrors } = await wrk(load);
    if (refused + socketErrors > 0) throw new Error(`${refused} requests rejected, ${socketErrors} socket errors`);
    return ((used() - before) * 1e6) / (requests * load.eventsPerPost);
  }
}

/** The same event with a null in an optional field, which the receiver leaves out. */
function withNull(event: string): string {
  return `{"userId":null,${event.slice(1).replace(/"userId":"[^"]*",/, '')}`;
}
