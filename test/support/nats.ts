import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../scripts/freePort.ts';
import { findNatsServer } from '../../scripts/natsServer.ts';
import { testUsers } from './locks.ts';
import { untilStopped } from './stopped.ts';
import { PATIENCE_MS } from './until.ts';

/** Folder of a copied store. */
export type StoreCopy = { dir: string };

export interface TestNats {
  /** With the login of an operator; locks.ts has those of the other roles. */
  url: string;
  port: number;
  dir: string;
  readonly pid: number;
  /** Sends a signal and, for one that ends the process, waits for its end. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port and store. */
  restart(): Promise<void>;
  /** Copies its store, as a snapshot of a volume would; the server is away meanwhile. */
  copyStore(): Promise<StoreCopy>;
  /** Puts a copy of its store in place of the present one, or an empty store; `meanwhile` runs while the server is away. */
  putStore(copy: StoreCopy | 'empty', meanwhile?: () => Promise<unknown>): Promise<void>;
  /** Ends it and removes its store. */
  stop(): Promise<void>;
}

interface NatsOptions {
  extraConfig?: string;
  maxFileStore?: string;
  /** Without locks. */
  open?: boolean;
  /** A whole configuration instead of the usual one, with the port it names. */
  config?: string;
  port?: number;
  dir?: string;
}

/** A real nats-server with JetStream, locks and `sync_interval: always` on a free loopback port and an empty store. */
export async function startNats(options: NatsOptions = {}): Promise<TestNats> {
  const binary = await findNatsServer({ log: (line) => process.stderr.write(`${line}\n`) });
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'spor-test-nats-')));
  const port = options.port ?? (await freePort());
  const config = join(dir, 'nats.conf');
  const users = testUsers();
  await writeFile(
    config,
    options.config ??
      `listen: "127.0.0.1:${port}"
jetstream { store_dir: "${join(dir, 'js')}", sync_interval: always, max_file_store: ${options.maxFileStore ?? '20GB'} }
${options.extraConfig?.includes('max_payload') ? '' : 'max_payload: 8MB'}
${options.open ? '' : users.config}
${options.extraConfig ?? ''}
`,
  );
  let copies = 0;
  let child = await launch(binary, config, port);
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    const ends = signal !== 'SIGSTOP' && signal !== 'SIGCONT';
    const exited = ends && child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
    child.kill(signal);
    await exited;
    if (signal === 'SIGSTOP') await untilStopped(child.pid!);
  };
  return {
    url: `nats://${options.open ? '' : `operator:${users.password}@`}127.0.0.1:${port}`,
    port,
    dir,
    get pid() {
      return child.pid!;
    },
    kill,
    restart: async () => {
      await kill('SIGKILL');
      child = await launch(binary, config, port);
    },
    copyStore: async () => {
      await kill('SIGKILL');
      const copy = join(dir, `copy-${copies++}`);
      await cp(join(dir, 'js'), copy, { recursive: true, preserveTimestamps: true });
      child = await launch(binary, config, port);
      return { dir: copy };
    },
    putStore: async (copy, meanwhile) => {
      await kill('SIGKILL');
      await rm(join(dir, 'js'), { recursive: true });
      if (copy !== 'empty') await cp(copy.dir, join(dir, 'js'), { recursive: true, preserveTimestamps: true });
      await meanwhile?.();
      child = await launch(binary, config, port);
    },
    stop: async () => {
      await kill('SIGKILL');
      await rm(dir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function launch(binary: string, config: string, port: number): Promise<ChildProcess> {
  const child = spawn(binary, ['-c', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-4000)));
  const deadline = performance.now() + PATIENCE_MS;
  while (performance.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`nats-server ended with ${child.exitCode}: ${stderr}`);
    if (await accepts(port)) return child;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  child.kill('SIGKILL');
  throw new Error(`nats-server did not listen on ${port} within ${PATIENCE_MS} ms: ${stderr}`);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    // The server greets with INFO once it serves; an open port alone may still be starting.
    socket.once('data', () => finish(true));
    socket.once('error', () => finish(false));
    socket.setTimeout(500, () => finish(false));
    const finish = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
  });
}
