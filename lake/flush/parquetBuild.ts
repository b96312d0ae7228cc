import { EngineError } from '../duckdb/engine.ts';
import { findUnreadable, quarantineUnstorable } from './unstorable.ts';
import { UnstorableLinesError, type WriteOptions } from './lines.ts';
import { writeWindow, type WrittenWindow } from './parquetWriter.ts';
import type { Logger } from '../../runtime/log.ts';
import type { ClosedWindow } from '../window/closedWindow.ts';

export interface ParquetBuildOptions extends Omit<WriteOptions, 'parts'> {
  log: Logger;
  /** Called each time a window is split to fit into DuckDB's memory. */
  onMemory: () => void;
}

const MOST_PARTS = 64;
/**
 * Deaths of DuckDB's process that a build survives.
 *
 * One death may have another cause; a second points to the window.
 */
const DEATHS_ENDURED = 1;

/** Build of one window's Parquet files. A retry keeps earlier findings. */
export class ParquetBuild {
  readonly #options: ParquetBuildOptions;
  #window: ClosedWindow;
  #parts = 1;
  #deaths = 0;

  constructor(window: ClosedWindow, options: ParquetBuildOptions) {
    this.#window = window;
    this.#options = options;
  }

  /** The current window, with unstorable events among its rejected ones. */
  get window(): ClosedWindow {
    return this.#window;
  }

  /** @throws Error for a failure of neither the data nor the memory */
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
