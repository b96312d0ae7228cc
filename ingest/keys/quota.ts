/**
 * Token bucket of events, which fills at the key's rate and holds one second.
 * A batch passes while any token is left, and may overdraw the bucket. So a batch above the rate passes, and the next one waits.
 */
export class Quota {
  #eventsPerSecond: number;
  #tokens: number;
  #filledAtMs: number;

  constructor(eventsPerSecond: number, nowMs: number) {
    this.#eventsPerSecond = eventsPerSecond;
    this.#tokens = eventsPerSecond;
    this.#filledAtMs = nowMs;
  }

  get eventsPerSecond(): number {
    return this.#eventsPerSecond;
  }

  /** Fills at another rate from now on; what is owed stays. */
  changeTo(eventsPerSecond: number, nowMs: number): void {
    this.#fill(nowMs);
    this.#eventsPerSecond = eventsPerSecond;
    this.#tokens = Math.min(this.#tokens, eventsPerSecond);
  }

  /** Seconds until the next batch may pass. */
  waitSeconds(nowMs: number): number {
    this.#fill(nowMs);
    return this.#tokens > 0 ? 0 : Math.max(1, Math.ceil(-this.#tokens / this.#eventsPerSecond));
  }

  /** Take the events of a batch, also below zero. */
  take(events: number): void {
    this.#tokens -= events;
  }

  #fill(nowMs: number): void {
    const elapsedMs = Math.max(0, nowMs - this.#filledAtMs);
    this.#filledAtMs = nowMs;
    this.#tokens = Math.min(this.#eventsPerSecond, this.#tokens + (elapsedMs * this.#eventsPerSecond) / 1000);
  }
}
