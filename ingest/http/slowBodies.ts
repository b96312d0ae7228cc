import type { HttpResponse } from 'uWebSockets.js';

/** Longest wait for the next bytes of a body. */
const IDLE_MS = 30_000;
/** Longest time of a whole body, such as 600 KB at 2 KB/s. */
const WHOLE_MS = 300_000;
/** Shorter than the shortest time-out of uWebSockets, 8 s. */
const LOOK_MS = 2_000;

/** A body that has not arrived whole. */
export interface SlowBody {
  readonly startedMs: number;
  /** Time of its last bytes. */
  heardMs: number;
  readonly response: Pick<HttpResponse, 'pause' | 'resume'>;
  /** Called once, with the fault, if the sender takes too long. */
  giveUp(fault: string): void;
}

/**
 * Bodies of slow senders, kept as long as they make progress.
 *
 * uWebSockets closes a connection that sends less than 16 KB/s for 10 s, without an answer. Resuming a connection starts
 * its 10 seconds again, so the limits here apply instead. They bound what slow senders hold.
 */
export class SlowBodies {
  readonly #clock: () => number;
  readonly #bodies = new Set<SlowBody>();
  #timer: NodeJS.Timeout | undefined;

  /** @param clock monotonic, in milliseconds */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
  }

  get nowMs(): number {
    return this.#clock();
  }

  add(body: SlowBody): void {
    this.#bodies.add(body);
    this.#timer ??= setInterval(() => this.look(), LOOK_MS).unref();
  }

  delete(body: SlowBody): void {
    this.#bodies.delete(body);
  }

  /** Give up the late bodies, and keep the connections of the others. */
  look(): void {
    const nowMs = this.#clock();
    for (const body of this.#bodies) {
      const fault = lateness(body, nowMs);
      if (fault === undefined) {
        body.response.pause();
        body.response.resume();
      } else {
        this.#bodies.delete(body);
        body.giveUp(fault);
      }
    }
    if (this.#bodies.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

function lateness({ startedMs, heardMs }: SlowBody, nowMs: number): string | undefined {
  if (nowMs - heardMs > IDLE_MS) return `No byte of the body came for ${IDLE_MS / 1_000} s`;
  if (nowMs - startedMs > WHOLE_MS) return `The body was not whole after ${WHOLE_MS / 1_000} s`;
  return undefined;
}
