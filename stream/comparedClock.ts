import { jetstreamManager } from '@nats-io/jetstream';
import type { Logger } from '../runtime/log.ts';
import { MINUTE_MS } from '../runtime/units.ts';
import type { NatsConnection } from './nats.ts';
import { readStreamClock } from './streamClock.ts';

/** Largest difference of this host's clock and the stream server's that counts as none. */
const TOLERANCE_MS = 2 * MINUTE_MS;
const ASK_EVERY_MS = 5_000;
const SAY_EVERY_MS = MINUTE_MS;

/** The present by this host's clock; if the stream server's differs, by both. Milliseconds since 1970. */
export type PresentTimes = readonly [host: number] | readonly [host: number, stream: number];

/**
 * The clock of this host, compared with the stream server's.
 *
 * Either may be wrong by years. While both agree, this host's counts. Otherwise callers get both, and a third decides.
 */
export class ComparedClock {
  readonly #host: () => number;
  #stream: { ms: number; at: number } | undefined;
  #saidAt = -Infinity;
  #timer: NodeJS.Timeout | undefined;

  constructor(host: () => number = () => Date.now()) {
    this.#host = host;
  }

  times(): PresentTimes {
    const host = this.#host();
    if (!this.#stream) return [host];
    const stream = this.#streamMs(this.#stream);
    return Math.abs(host - stream) <= TOLERANCE_MS ? [host] : [host, Math.floor(stream)];
  }

  /** Seconds by which this host's clock is ahead of the stream server's; 0 while unknown. */
  get aheadSeconds(): number {
    return this.#stream ? (this.#host() - this.#streamMs(this.#stream)) / 1_000 : 0;
  }

  /** Compares now, and every few seconds until closed. Between two answers monotonic time goes on. */
  async follow(ask: () => Promise<number | undefined>, log: Logger): Promise<void> {
    const compare = async (): Promise<void> => {
      const ms = await ask().catch((error: unknown) => {
        log.debug({ err: error }, 'the stream told no time');
        return undefined;
      });
      if (ms !== undefined) this.#stream = { ms, at: performance.now() };
      this.#say(log);
    };
    this.#timer = setInterval(() => void compare(), ASK_EVERY_MS).unref();
    await compare();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #streamMs({ ms, at }: { ms: number; at: number }): number {
    return ms + performance.now() - at;
  }

  #say(log: Logger): void {
    const [host, stream] = this.times();
    if (stream === undefined || performance.now() - this.#saidAt < SAY_EVERY_MS) return;
    this.#saidAt = performance.now();
    const times = { host: new Date(host).toISOString(), stream: new Date(stream).toISOString() };
    log.error(
      { code: 'clocks_differ', ...times },
      'the clocks of this host and the stream server differ: set the wrong one',
    );
  }
}

/** Open the clock of a service. Close it. */
export async function openComparedClock(connection: NatsConnection, { log }: { log: Logger }): Promise<ComparedClock> {
  const clock = new ComparedClock();
  const manager = await jetstreamManager(connection, { checkAPI: false });
  await clock.follow(() => readStreamClock(manager), log);
  return clock;
}
