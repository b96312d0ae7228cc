import { newest } from '../../stream/incarnation.ts';
import type { KnownMessage } from '../../stream/streamsRecord.ts';

/**
 * What this process has seen of each stream, beyond one owner's time.
 *
 * A restored store has lost it, and also the committed positions in its buckets.
 */
export class KnownStreams {
  readonly #created = new Map<string, string>();
  readonly #ended = new Set<string>();
  readonly #newest = new Map<string, KnownMessage>();
  readonly #committed = new Map<string, number>();
  readonly #compared = new Set<string>();

  /** Creation time of the stream of a name, as last seen. */
  created(name: string): string | undefined {
    return this.#created.get(name);
  }

  enter(name: string, created: string): void {
    this.#created.set(name, created);
  }

  /** Whether the end of an incarnation was recorded. */
  hasEnded(appId: string): boolean {
    return this.#ended.has(appId);
  }

  end(appId: string): void {
    this.#ended.add(appId);
  }

  /** Newest message seen. */
  newest(appId: string): KnownMessage | undefined {
    return this.#newest.get(appId);
  }

  saw(appId: string, message: KnownMessage): void {
    this.#newest.set(appId, newest(this.#newest.get(appId), message));
  }

  /** Last sequence that is in the lake; 0: unknown. */
  committed(appId: string): number {
    return this.#committed.get(appId) ?? 0;
  }

  /** Notes a commit. */
  commit(appId: string, sequence: number): void {
    this.#committed.set(appId, Math.max(this.committed(appId), sequence));
  }

  /** Whether the lake was compared with the stream already; true from the second call on. */
  compared(appId: string): boolean {
    const before = this.#compared.has(appId);
    this.#compared.add(appId);
    return before;
  }
}
