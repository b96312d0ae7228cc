import { fork, type ChildProcess as NodeChild, type ForkOptions } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/**
 * A message with a number, by which replies find their requests.
 *
 * 0 is the child's first message.
 */
export interface Numbered {
  id: number;
}

export interface ChildOptions {
  /** The module to run, an absolute `file:` URL. */
  module: URL;
  /** Name for messages, such as `the process of a query`. */
  name: string;
  args?: readonly string[];
  stdio: NonNullable<ForkOptions['stdio']>;
  execArgv: string[];
  env: NodeJS.ProcessEnv;
  /** Whether to run in a session of its own. */
  detached?: boolean;
  /** Called before the waiting requests fail. */
  onExit: (code: number | null, signal: NodeJS.Signals | null) => void;
}

/** The child ended or was unreachable before its reply. */
export class ChildEndedError extends Error {
  /** Both null: the child cannot be reached. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;

  constructor(message: string, code: number | null = null, signal: NodeJS.Signals | null = null) {
    super(message);
    this.name = 'ChildEndedError';
    this.code = code;
    this.signal = signal;
  }
}

const START_MS = 30_000;

/**
 * A child process that replies to requests.
 *
 * The child starts, and says so in a message with id 0. A child that says nothing for 30 seconds is killed. Each later
 * request has an id of the caller's, and its reply has the same id. When the child ends, every request without a reply
 * fails.
 */
export class ChildProcess<Request extends Numbered, Reply extends Numbered> {
  /** The child's first message. @throws ChildEndedError */
  readonly started: Promise<Reply>;
  readonly #child: NodeChild;
  readonly #waiting = new Map<number, { resolve: (reply: Reply) => void; reject: (error: ChildEndedError) => void }>();

  private constructor(child: NodeChild, { name, onExit }: ChildOptions) {
    this.#child = child;
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    this.started = promise;
    const late = setTimeout(() => child.kill('SIGKILL'), START_MS);
    child.on('message', (reply: Reply) => {
      if (reply.id !== 0) return this.#take(reply.id)?.resolve(reply);
      clearTimeout(late);
      resolve(reply);
    });
    child.on('error', (error) => {
      clearTimeout(late);
      reject(new ChildEndedError(error.message));
    });
    child.once('exit', (code, signal) => {
      clearTimeout(late);
      onExit(code, signal);
      reject(new ChildEndedError(`${name} ended at start with ${code ?? signal}`, code, signal));
      const error = new ChildEndedError(`${name} ended with ${code ?? signal}`, code, signal);
      for (const id of this.#waiting.keys()) this.#take(id)?.reject(error);
    });
  }

  /** Starts the child; `started` resolves once it takes requests. */
  static start<Request extends Numbered, Reply extends Numbered>(options: ChildOptions): ChildProcess<Request, Reply> {
    const { module, args = [], execArgv, stdio, env, detached = false } = options;
    const child = fork(fileURLToPath(module), args, { serialization: 'advanced', execArgv, stdio, env, detached });
    return new ChildProcess(child, options);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whether the child can take a request. */
  get alive(): boolean {
    return !this.#ended && this.#child.connected && !this.#child.killed;
  }

  /** Sends a request and waits for its reply. @throws ChildEndedError */
  ask(request: Request): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(request.id, { resolve, reject });
      this.#child.send(request, (error) => {
        if (error) this.#take(request.id)?.reject(new ChildEndedError(error.message));
      });
    });
  }

  /** Sends a message that has no reply; an ended child takes none. */
  tell(message: Request): void {
    this.#child.send(message, () => undefined);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Closes the channel, and waits until the child ends. */
  async close(): Promise<void> {
    if (this.#ended) return;
    const exited = once(this.#child, 'exit');
    this.#child.disconnect();
    await exited;
  }

  get #ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  #take(id: number): { resolve: (reply: Reply) => void; reject: (error: ChildEndedError) => void } | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }
}
