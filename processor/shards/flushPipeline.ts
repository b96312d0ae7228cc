import type { Window } from '../../lake/window/window.ts';
import type { Flusher } from './flusher.ts';

export interface FlushPipelineOptions {
  flusher: Pick<Flusher, 'build' | 'commit'>;
  /** Called whenever the line may have room again, or has failed. */
  onTurn: () => void;
}

/**
 * The windows of one owner on their way into the lake, in stream order: while one is committed, DuckDB builds the next, so
 * that it does not wait for uploads and fsyncs. One that is built waits for the commit before it.
 */
export class FlushPipeline {
  readonly #options: FlushPipelineOptions;
  /** The newest window's commit has begun: the next one may be built. */
  #begun: Promise<void> = Promise.resolve();
  #committed: Promise<void> = Promise.resolve();
  #ready = true;
  #failure: { error: unknown } | undefined;

  constructor(options: FlushPipelineOptions) {
    this.#options = options;
  }

  /** Whether a window would be built at once. */
  get ready(): boolean {
    return this.#ready;
  }

  /** @throws what a window failed with: none after it may be committed */
  check(): void {
    if (this.#failure) throw this.#failure.error;
  }

  /** Takes a window, once there is room for it. @throws as `check` */
  async push(window: Window): Promise<void> {
    await this.#begun;
    this.check();
    this.#ready = false;
    const before = this.#committed;
    const begun = Promise.withResolvers<void>();
    this.#begun = begun.promise;
    this.#committed = this.#flush(window, before, () => {
      // A later window may have taken the room meanwhile.
      this.#ready ||= this.#begun === begun.promise;
      begun.resolve();
      this.#options.onTurn();
    });
  }

  /** Waits until all are committed or given up. Never throws: `check` does. */
  end(): Promise<void> {
    return this.#committed;
  }

  /** @param turn called once its commit begins, and when it is over, whether that ever began or not */
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
