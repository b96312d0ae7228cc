/** Work of one turn of the event loop, in milliseconds, after which further tasks wait. */
const TURN_MS = 10;

type Task = () => void;

/**
 * Tasks of tenants, each tenant in turn.
 *
 * A task runs at once while the turn of the event loop has done little work. Under load it waits instead, and each turn
 * takes one task of each waiting tenant after the other. So a tenant whose bodies are slow to read delays its own. Between
 * turns the loop reads sockets and acknowledgements.
 */
export class FairQueue {
  readonly #clock: () => number;
  /** Waiting tasks by tenant. The first tenant is next. */
  readonly #waiting = new Map<string, Task[]>();
  #spentMs = 0;
  #scheduled = false;

  /** @param clock monotonic, in milliseconds */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
  }

  /** Whether a task of now would wait. */
  get busy(): boolean {
    return this.#waiting.size > 0 || this.#spentMs >= TURN_MS;
  }

  /** Run a task now, or after the tasks before it. Tasks throw nothing. */
  run(tenantId: string, task: Task): void {
    const first = !this.busy;
    if (!first) {
      const tasks = this.#waiting.get(tenantId);
      if (tasks) tasks.push(task);
      else this.#waiting.set(tenantId, [task]);
    }
    this.#schedule();
    if (first) this.#timed(task);
  }

  #timed(task: Task): void {
    const startedMs = this.#clock();
    task();
    this.#spentMs += this.#clock() - startedMs;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#spentMs = 0;
      while (this.#waiting.size > 0 && this.#spentMs < TURN_MS) this.#timed(this.#next());
      if (this.#waiting.size > 0) this.#schedule();
    });
  }

  #next(): Task {
    const [tenantId, tasks] = this.#waiting.entries().next().value!;
    this.#waiting.delete(tenantId);
    const task = tasks.shift()!;
    if (tasks.length > 0) this.#waiting.set(tenantId, tasks); // behind the others
    return task;
  }
}
