import type { Logger } from '../../runtime/log.ts';

const EVERY_MS = 10_000;

/** A log that writes each sentence at most once in ten seconds. */
export class RateLimitedLogger {
  readonly #log: Logger;
  readonly #clock: () => number;
  readonly #writtenAtMs = new Map<string, number>();

  constructor(log: Logger, clock: () => number) {
    this.#log = log;
    this.#clock = clock;
  }

  write(level: 'debug' | 'warn' | 'error', facts: object, sentence: string): void {
    const nowMs = this.#clock();
    if (nowMs - (this.#writtenAtMs.get(sentence) ?? -Infinity) < EVERY_MS) return;
    this.#writtenAtMs.set(sentence, nowMs);
    this.#log[level](facts, sentence);
  }
}
