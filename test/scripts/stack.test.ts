import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseEnvFile } from '../../cli/settings.ts';
import { startStack, type Stack, type StackOptions } from '../../scripts/stack/stack.ts';
import { claimFolder, claimNewFolder } from '../../scripts/stack/folder.ts';
import { isAlive } from '../../runtime/isAlive.ts';
import { until } from '../support/until.ts';
import { runScript } from '../support/runScript.ts';

let dir: string;
let stack: Stack | undefined;
const children: ChildProcess[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-stack-'));
});

afterEach(async () => {
  await stack?.stop();
  stack = undefined;
  for (const child of children.splice(0)) child.kill('SIGKILL'); // ended already, unless a test failed
  await rm(dir, { recursive: true, force: true, maxRetries: 5 });
});

const FREE_PORTS = { NATS_PORT: '-1', INGEST_PORT: '0', LAKE_PORT: '0', PROCESSOR_PORT: '0' };

function start(options: Partial<StackOptions> = {}): Promise<Stack> {
  return startStack({ dir, env: process.env, ports: 'free', restart: false, log: () => undefined, ...options });
}

function pidOf(of: Stack, wanted: string): number | undefined {
  return of.processes().find(({ name }) => name === wanted)?.pid;
}

async function ready(url: string): Promise<boolean> {
  return (await fetch(new URL('/readyz', url))).ok;
}

describe('the stack', () => {
  it('runs every part as a process of its own, says who crashed with its last words, and leaves none behind', async () => {
    const crashes: [string, string][] = [];
    stack = await start({ processors: 2, onCrash: (name, reason) => crashes.push([name, reason]) });
    const processes = stack.processes();
    expect(processes.map(({ name }) => name)).toEqual([
      'nats-guard',
      'nats-server',
      'processor',
      'processor-2',
      'lake',
      'ingest',
    ]);
    expect(new Set(processes.map(({ pid }) => pid)).size).toBe(6);
    expect(processes.every(({ pid }) => isAlive(pid))).toBe(true);
    expect(await readFile(`/proc/${pidOf(stack, 'nats-server')}/environ`, 'utf8')).toContain('GOMEMLIMIT=512MiB');
    for (const url of [stack.ingestUrl, stack.processorUrl, stack.queryUrl]) expect(await ready(url)).toBe(true);
    process.kill(pidOf(stack, 'ingest')!, 'SIGKILL');
    await until(() => crashes.length > 0);
    expect(crashes).toEqual([
      ['ingest', expect.stringMatching(/^was killed by SIGKILL\. Its last log lines/) as string],
    ]);
    expect(pidOf(stack, 'ingest')).toBeUndefined();
    await stack.stop();
    expect(processes.filter(({ pid }) => isAlive(pid))).toEqual([]);
  });

  it('tells why a part does not start, and leaves none of the others running', async () => {
    const started = start({ env: { ...process.env, LAKE_URL: 'ftp://nowhere' } });
    await expect(started).rejects.toThrow(/LAKE_URL=ftp:\/\/nowhere/);
    const pid = Number(/\[(\d+)\]/.exec(await readFile(join(dir, 'logs', 'nats.log'), 'utf8'))![1]);
    expect(isAlive(pid)).toBe(false);
  });

  it('starts again what was killed, at the same address', async () => {
    const lines: string[] = [];
    const running = (stack = await start({ restart: true, log: (line) => lines.push(line) }));
    for (const name of ['ingest', 'nats-server', 'nats-guard', 'lake']) {
      const before = pidOf(running, name)!;
      process.kill(before, 'SIGKILL');
      await until(() => (pidOf(running, name) ?? before) !== before);
      expect(isAlive(before)).toBe(false);
    }
    await until(async () => (await ready(running.ingestUrl)) && (await ready(running.queryUrl)));
    expect(lines).toContainEqual('ingest was killed by SIGKILL; restarting it');
  });
});

describe('npm run up', () => {
  it('prints lines that work when pasted, and ends with everything when told to', async () => {
    const { child, pids, printed } = await up();
    const line = printed()
      .split('\n')
      .find((text) => text.trim().startsWith('curl') && text.includes('/api/events'));
    const { stdout } = await promisify(execFile)('bash', ['-c', line!]);
    expect(JSON.parse(stdout)).toMatchObject({ accepted: 1, rejected: [] });
    const env = parseEnvFile(await readFile(join(dir, 'env'), 'utf8'));
    const [, tenant = '', sql = ''] = /npx spor sql --tenant (\S+) "(.*)"/.exec(printed())!;
    await until(async () => {
      const answer = await runScript('cli/spor.mjs', ['sql', '--tenant', tenant, '--json', sql], { env });
      return answer.stdout.includes('["Search",1]');
    });
    const status = await runScript('cli/spor.mjs', ['status', '--json'], { env });
    expect([status.code, (JSON.parse(status.stdout) as { attention: string[] }).attention]).toEqual([0, []]);
    child.kill('SIGTERM');
    const [code] = (await once(child, 'exit')) as [number];
    expect([code, pids.filter(isAlive)]).toEqual([0, []]);
    expect(await readFile(join(dir, 'env'), 'utf8')).toMatch(/^NATS_URL=nats:\/\/127\.0\.0\.1:\d+$/m);
  });

  it('leaves nothing running even when it is killed itself', async () => {
    const { child, pids } = await up();
    child.kill('SIGKILL');
    await once(child, 'exit');
    await until(() => !pids.some(isAlive));
    expect(pids.length).toBe(5);
  });

  async function up(): Promise<{ child: ChildProcess; pids: number[]; printed: () => string }> {
    const script = fileURLToPath(new URL('../../scripts/stack/main.ts', import.meta.url));
    const child = spawn(process.execPath, [script, '--json', '--dir', dir], {
      env: { ...process.env, ...FREE_PORTS },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(child);
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const [line] = (await Promise.race([
      once(createInterface({ input: child.stdout }), 'line'),
      once(child, 'exit').then(() => [JSON.stringify({ failed: stderr })]),
    ])) as [string];
    const { processes, failed } = JSON.parse(line) as { processes?: { pid: number }[]; failed?: string };
    if (!processes) throw new Error(failed);
    return { child, pids: processes.map(({ pid }) => pid), printed: () => stderr };
  }
});

describe("a stack's folder", () => {
  it('is claimed by one at a time, and again after its owner was killed', async () => {
    const folder = await claimFolder(join(dir, 'a'));
    await expect(claimFolder(join(dir, 'a'))).rejects.toThrow(`process ${process.pid} is using`);
    await folder.release();
    const dead = spawn('true');
    await once(dead, 'exit');
    await writeFile(join(dir, 'a', 'supervisor.pid'), `${dead.pid}\n`);
    await (await claimFolder(join(dir, 'a'))).release();
  });

  it('is numbered where it is to be new', async () => {
    const folders = await Promise.all([1, 2, 3].map(() => claimNewFolder(dir, 'demo')));
    expect(folders.map(({ path }) => path).sort()).toEqual([1, 2, 3].map((n) => join(dir, `demo-${n}`)));
  });
});
