/**
 * A token bucket of events that fills at the key's rate and holds one second of it. A batch is admitted while anything is
 * left and may overdraw it, so that a batch larger than the rate still passes, and the next one waits for the debt.
 */
export class Quota {
  readonly eventsPerSecond: number;
  #tokens: number;
  #filledAtMs: number;

  constructor(eventsPerSecond: number, nowMs: number) {
    this.eventsPerSecond = eventsPerSecond;
    this.#tokens = eventsPerSecond;
    this.#filledAtMs = nowMs;
  }

  /** Seconds until a batch would be admitted; 0 when it is now. Takes nothing. */
  waitSeconds(nowMs: number): number {
    const elapsedMs = Math.max(0, nowMs - this.#filledAtMs);
    this.#filledAtMs = nowMs;
    this.#tokens = Math.min(this.eventsPerSecond, this.#tokens + (elapsedMs * this.eventsPerSecond) / 1000);
    return this.#tokens > 0 ? 0 : Math.max(1, Math.ceil(-this.#tokens / this.eventsPerSecond));
  }

  /** Takes a batch's events out, into debt where need be. */
  take(events: number): void {
    this.#tokens -= events;
  }
}
