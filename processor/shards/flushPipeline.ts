import type { Window } from '../../lake/window/window.ts';
import type { Flusher } from './flusher.ts';

export interface FlushPipelineOptions {
  flusher: Pick<Flusher, 'build' | 'commit'>;
  /** Called when the pipeline may have room, or has failed. */
  onTurn: () => void;
}

/**
 * Windows of one owner on their way into the lake, in order.
 *
 * DuckDB builds one window while the previous one is committed, and so does not wait for uploads and fsyncs. A built
 * window waits for the commit before it.
 */
export class FlushPipeline {
  readonly #options: FlushPipelineOptions;
  /** Resolves once the newest window's commit begins. Then the next may be built. */
  #begun: Promise<void> = Promise.resolve();
  #committed: Promise<void> = Promise.resolve();
  #ready = true;
  #failure: { error: unknown } | undefined;

  constructor(options: FlushPipelineOptions) {
    this.#options = options;
  }

  /** Whether a new window would be built at once. */
  get ready(): boolean {
    return this.#ready;
  }

  /** @throws the failure of a window; no later window may be committed */
  check(): void {
    if (this.#failure) throw this.#failure.error;
  }

  /** Adds a window once there is room, and discards it in the end. @throws as `check` */
  async push(window: Window): Promise<void> {
    await this.#begun;
    if (this.#failure) await window.discard();
    this.check();
    this.#ready = false;
    const before = this.#committed;
    const begun = Promise.withResolvers<void>();
    this.#begun = begun.promise;
    this.#committed = this.#flush(window, before, () => {
      // A later window may have taken the room already.
      this.#ready ||= this.#begun === begun.promise;
      begun.resolve();
      this.#options.onTurn();
    });
  }

  /** Waits until every window is committed or failed. Never throws: `check` does. */
  end(): Promise<void> {
    return this.#committed;
  }

  /** @param turn called when the commit begins, and at the end in any case */
  async #flush(window: Window, before: Promise<void>, turn: () => void): Promise<void> {
    const { flusher } = this.#options;
    try {
      const built = await flusher.build(window);
      await before;
      this.check();
      turn();
      await flusher.commit(built);
    } catch (error) {
      this.#failure ??= { error };
    }
    await before;
    await window.discard().catch((error: unknown) => (this.#failure ??= { error }));
    turn();
  }
}
