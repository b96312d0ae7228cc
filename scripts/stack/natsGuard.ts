/**
 * Runs nats-server for the supervisor, and ends with it, however it ends.
 *
 * nats-server has no IPC channel, so this process holds the channel. A lost channel means that the supervisor was
 * killed. Then the services may finish first, and the server stops last.
 *
 * A change of the users makes nats-server read its configuration again.
 *
 * Arguments: the nats-server binary, its config file, the folder of its ports file, the port (-1: any free one), the file
 * with the users.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { unwatchFile, watchFile } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runProcess } from '../../runtime/process.ts';
import { isAlive } from '../../runtime/isAlive.ts';

const READY_MS = 15_000;
const STOP_MS = 10_000;
/** Time between two looks at the users. */
const USERS_POLL_MS = 200;
/** Longest wait for the services, which have their own deadline. */
const COMPANIONS_MS = 20_000;

const [binary = '', config = '', portsDir = '', wantedPort = '', usersFile = ''] = process.argv.slice(2);

/** Pids of the services that use the server, sent by the supervisor. */
let companions: number[] = [];
process.on('message', (message: { companions?: number[] }) => {
  if (message.companions) companions = message.companions;
});

await runProcess('nats-guard', async ({ resources, ready, fail }) => {
  const server = spawn(binary, ['-c', config, '-p', wantedPort], { stdio: ['ignore', 'inherit', 'inherit'] });
  let stopping = false;
  server.once('error', fail);
  server.once('exit', (code, signal) => {
    if (!stopping) fail(new Error(`nats-server ended with ${code ?? signal}`));
  });
  const portsFile = join(portsDir, `nats-server_${server.pid}.ports`);
  resources.add('nats-server', server, async () => {
    stopping = true;
    if (!process.connected) await companionsGone();
    await stopServer(server);
    await rm(portsFile, { force: true });
  });
  const port = await listeningPort(portsFile, server);
  watchFile(usersFile, { interval: USERS_POLL_MS }, () => server.kill('SIGHUP'));
  resources.add('users', usersFile, (file) => unwatchFile(file));
  ready({ port, serverPid: server.pid! });
});

/** The port from nats-server's ports file, which exists once it serves. */
async function listeningPort(file: string, server: ChildProcess): Promise<number> {
  const deadline = Date.now() + READY_MS;
  while (Date.now() < deadline && server.exitCode === null) {
    const text = await readFile(file, 'utf8').catch(() => ''); // not written yet
    const port = /"nats:\/\/[^"]*:(\d+)"/.exec(text)?.[1];
    if (port) return Number(port);
    await sleep(20);
  }
  throw new Error(server.exitCode === null ? 'nats-server did not serve in time' : 'nats-server ended at start');
}

async function companionsGone(): Promise<void> {
  const deadline = Date.now() + COMPANIONS_MS;
  while (Date.now() < deadline && companions.some(isAlive)) await sleep(50);
}

async function stopServer(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null || server.pid === undefined) return;
  const exited = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGTERM');
  const timer = setTimeout(() => server.kill('SIGKILL'), STOP_MS);
  await exited;
  clearTimeout(timer);
}
