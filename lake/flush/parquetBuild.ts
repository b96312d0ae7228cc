import { EngineError } from '../duckdb/engine.ts';
import { findUnreadable, quarantineUnstorable } from './unstorable.ts';
import { UnstorableLinesError, type WriteOptions } from './lines.ts';
import { writeWindow, type WrittenWindow } from './parquetWriter.ts';
import type { Logger } from '../../runtime/log.ts';
import type { ClosedWindow } from '../window/closedWindow.ts';

export interface ParquetBuildOptions extends Omit<WriteOptions, 'parts'> {
  log: Logger;
  /** Told each time a window had to be cut because it did not fit into DuckDB's memory. */
  onMemory: () => void;
}

const MOST_PARTS = 64;
/** DuckDB's process may die of something else once; twice on one window is the window's doing. */
const DEATHS_ENDURED = 1;

/** The making of one window's Parquet files. It may be tried again after a failure, and goes on with what it has learnt. */
export class ParquetBuild {
  readonly #options: ParquetBuildOptions;
  #window: ClosedWindow;
  #parts = 1;
  #deaths = 0;

  constructor(window: ClosedWindow, options: ParquetBuildOptions) {
    this.#window = window;
    this.#options = options;
  }

  /** The window as it is now: events that cannot become rows are among its rejected ones. */
  get window(): ClosedWindow {
    return this.#window;
  }

  /** @throws Error when a failure is neither the data's nor a matter of memory. */
  async run(): Promise<WrittenWindow> {
    for (;;) {
      try {
        return await writeWindow(this.#window, { ...this.#options, parts: this.#parts });
      } catch (error) {
        await this.#learn(error);
      }
    }
  }

  async #learn(error: unknown): Promise<void> {
    const { log, onMemory } = this.#options;
    if (error instanceof EngineError && error.fault === 'memory' && this.#parts < MOST_PARTS) {
      this.#parts *= 2;
      log.warn(
        { parts: this.#parts, reason: error.message },
        'a window did not fit into memory and is written in parts',
      );
      return onMemory();
    }
    const unstorable = error instanceof UnstorableLinesError ? error : await this.#unreadable(error);
    if (!unstorable) throw error;
    const [first] = unstorable.lines;
    log.error(
      { events: unstorable.lines.length, code: first?.code, reason: first?.message },
      'accepted events could not be stored and went to the quarantine',
    );
    this.#window = await quarantineUnstorable(this.#window, unstorable.lines);
  }

  async #unreadable(error: unknown): Promise<UnstorableLinesError | undefined> {
    if (!(error instanceof EngineError)) return undefined;
    if (error.fault === 'died' && ++this.#deaths > DEATHS_ENDURED) return findUnreadable(this.#window, this.#options);
    return error.fault === 'data' ? findUnreadable(this.#window, this.#options) : undefined;
  }
}
