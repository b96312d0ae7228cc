/** Silence of a shard after which new writes are refused. */
const SILENT_MS = 1_000;
/** Unanswered questions in a row after which a shard counts as unreachable. */
const MOST_UNANSWERED = 2;

/** Answer about a shard's stream: its leader has a quorum or not, or there was no answer. */
export type StreamAnswer = 'quorum' | 'no quorum' | 'none';

/**
 * Whether a shard acknowledges writes.
 *
 * A shard *acknowledges*, is *silent* or is *unreachable*. It is silent once a message in flight has waited a second and
 * no other was acknowledged meanwhile. It is unreachable once its leader has no quorum, or two questions got no answer.
 *
 * In both bad states only one message is in flight: the probe. Other writes are refused at once. An acknowledgement ends
 * both states. A good answer ends *unreachable*, and with nothing in flight *silent* too.
 */
export class ShardHealth {
  #inFlight = 0;
  /** Time of the last acknowledgement, or of the first message in flight after a rest. */
  #quietSinceMs = 0;
  #acknowledgedAtMs = -Infinity;
  #silent = false;
  #noQuorum = false;
  #unanswered = 0;

  sent(nowMs: number): void {
    if (this.#inFlight++ === 0) this.#quietSinceMs = nowMs;
  }

  /** Notes the answer to a write. */
  acknowledged(nowMs: number): void {
    this.#quietSinceMs = this.#acknowledgedAtMs = nowMs;
    this.#silent = this.#noQuorum = false;
    this.#unanswered = 0;
  }

  /** Notes that a message is no longer in flight, for any reason. */
  ended(): void {
    this.#inFlight--;
  }

  /** Notes an answer to a question that was asked at a time. */
  answered(answer: StreamAnswer, askedAtMs: number): void {
    if (this.#acknowledgedAtMs >= askedAtMs) return; // an acknowledgement says more
    this.#noQuorum = answer === 'no quorum';
    this.#unanswered = answer === 'none' ? this.#unanswered + 1 : 0;
    if (answer === 'quorum' && this.#inFlight === 0) this.#silent = false;
  }

  /** Time of the last acknowledgement. */
  get acknowledgedAtMs(): number {
    return this.#acknowledgedAtMs;
  }

  /** Reason why the shard does not take writes, if it does not. */
  fault(nowMs: number): string | undefined {
    if (this.#inFlight > 0 && nowMs - this.#quietSinceMs >= SILENT_MS) this.#silent = true;
    if (this.#noQuorum) return 'its stream has no quorum';
    if (this.#silent) return 'its stream does not acknowledge';
    return this.#unanswered >= MOST_UNANSWERED ? 'its stream does not answer' : undefined;
  }

  /** Reason to refuse a new message; undefined if it may be sent, also as a probe. */
  refusal(nowMs: number): string | undefined {
    const fault = this.fault(nowMs);
    return this.#inFlight === 0 ? undefined : fault;
  }
}
