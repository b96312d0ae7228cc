import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createLog } from '../../runtime/log.ts';
import { connectNats } from '../../stream/nats.ts';
import { openSecretStore } from '../../stream/secretStore.ts';
import { keyId, secretHash, type KeyRecord } from '../../schemas/keys.ts';
import { KEYS_BUCKET } from '../../stream/buckets.ts';
import { startReceiver, type Receiver } from '../ingest/receiver.ts';
import { startNats, type TestNats } from '../support/nats.ts';
import { until } from '../support/until.ts';
import { runScript, runSpor, type Finished } from '../support/runScript.ts';

let nats: TestNats;
let folder: string;

beforeAll(async () => {
  nats = await startNats();
  folder = await mkdtemp(join(tmpdir(), 'spor-test-cli-'));
});

afterAll(async () => {
  await nats?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

function spor(...args: string[]): Promise<Finished> {
  return runSpor(args, { env: { NATS_URL: nats.url }, cwd: folder });
}

interface CreatedKey extends KeyRecord {
  key: string;
  id: string;
  replaces?: { id: string; expiresAt: string };
}

async function json<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await spor(...args, '--json');
  expect(code, stderr).toBe(0);
  expect(stdout.trimEnd().split('\n').length).toBe(1);
  return JSON.parse(stdout) as T;
}

async function storedKey(key: string): Promise<KeyRecord | undefined> {
  const connection = await connectNats({ url: nats.url, name: 'test', log: createLog('test', 'silent') });
  try {
    return await (await openSecretStore<KeyRecord>(connection, KEYS_BUCKET, 1)).get(secretHash(key));
  } finally {
    await connection.close();
  }
}

describe('spor', () => {
  it('may be run as a file, by any Node from 20 on', async () => {
    const file = fileURLToPath(new URL('../../cli/spor.mjs', import.meta.url));
    accessSync(file, constants.X_OK);
    const host = hostNode();
    const { code, stdout } = await runScript('cli/spor.mjs', ['version', '--json'], { node: host });
    expect(code).toBe(0);
    const { spor: version, node } = JSON.parse(stdout) as { spor: string; node: string };
    expect(version).toMatch(/^\d+\.\d+\.\d+/);
    expect(Number(node.split('.')[0])).toBeGreaterThanOrEqual(22);
  });

  it('explains itself', async () => {
    const help = await spor('help');
    expect([help.code, help.stderr]).toEqual([0, '']);
    for (const command of ['keys', 'tokens', 'sql', 'status', 'version']) {
      expect(help.stdout).toContain(command);
      const own = await spor(command, '--help');
      expect([own.code, own.stdout.slice(0, 7 + 5 + command.length)]).toEqual([0, `Usage: spor ${command}`]);
    }
    for (const command of ['create', 'list', 'revoke', 'rotate']) {
      expect((await spor('keys', command, '--help')).stdout).toContain(`Usage: spor keys ${command}`);
    }
  });

  it('refuses what it does not understand with code 2 and says why', async () => {
    const wrong: [string[], string][] = [
      [[], 'Usage: spor'],
      [['frobnicate'], 'no command "frobnicate"'],
      [['keys'], 'a command is missing'],
      [['keys', 'create'], '--tenant is missing'],
      [['keys', 'create', '--tenant', 'demo-shop'], '--segment is missing'],
      [['keys', 'create', '--tenant', '../x', '--segment', 'web'], '--tenant "../x" is not an id'],
      [['keys', 'create', '--tenant', 'a', '--segment', 'b.>'], '--segment "b.>" is not an id'],
      [['keys', 'create', '--tenant', 'a', '--segment', 'b', '--kind', 'x'], '--kind x is neither'],
      [['keys', 'create', '--tenant', 'a', '--segment', 'b', '--origin', 'https://x/y'], 'is not an origin'],
      [
        ['keys', 'create', '--tenant', 'a', '--segment', 'b', '--origin', 'https://*.a'],
        'without a path or a wildcard',
      ],
      [['keys', 'create', '--tenant', 'spor-unattributed', '--segment', 'b'], 'is reserved'],
      [['keys', 'create', '--tenant', 'a', '--segment', 'null'], '--segment null means "no value"'],
      [['keys', 'create', '--tenant', 'a', '--segment', 'b', '--expires', 'soon'], 'is not a duration'],
      [['keys', 'create', '--tenant', 'a', '--segment', 'b', '--quota', '-1'], '--quota'],
      [['keys', 'list', '--nonsense'], '--nonsense'],
      [['keys', 'revoke'], '<id> is missing'],
      [['sql', 'select 1'], '--tenant is missing'],
      [['sql', '--tenant', 'a'], '<sql> is missing'],
      [
        ['sql', '--tenant', 'a', '--format', 'xml', 'select 1'],
        '--format xml is not one of table, json, ndjson, csv, parquet',
      ],
      [['sql', '--tenant', 'a', '--from', '2026-02-30', 'select 1'], '--from 2026-02-30 is not a date'],
      [['sql', '--tenant', 'a', 'select', '1'], '"1" is not expected'],
    ];
    for (const [args, message] of wrong) {
      const { code, stdout, stderr } = await spor(...args);
      expect([args, code]).toEqual([args, 2]);
      expect(stdout + stderr).toContain(message);
    }
  });

  it('says with code 69 that no server answers, and where it looked', async () => {
    const { code, stderr } = await runSpor(['keys', 'list'], {
      env: { NATS_URL: 'nats://127.0.0.1:1' },
    });
    expect(code).toBe(69);
    expect(stderr).toContain('nats://127.0.0.1:1');
    expect(stderr).toContain('npm run up');
  });

  it('ends with code 69 although a server that says nothing keeps the connection', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const { code, stderr } = await runScript('cli/spor.mjs', ['keys', 'list'], {
      env: { NATS_URL: `nats://127.0.0.1:${port}` },
    });
    expect([code, stderr]).toEqual([
      69,
      expect.stringContaining(`no stream server answers at nats://127.0.0.1:${port}`),
    ]);
    silent.close();
  });

  it('takes its settings from .spor/up/env of the folder or one above, unless the environment has its own', async () => {
    const deep = join(folder, 'project', 'src');
    await mkdir(join(folder, 'project', '.spor', 'up'), { recursive: true });
    await mkdir(deep, { recursive: true });
    await writeFile(join(folder, 'project', '.spor', 'up', 'env'), `# a comment\nNATS_URL=${nats.url}\n`);
    expect((await runSpor(['keys', 'list'], { cwd: deep })).code).toBe(0);
    const own = await runSpor(['keys', 'list'], {
      cwd: deep,
      env: { NATS_URL: 'nats://127.0.0.1:1' },
    });
    expect(own.code).toBe(69);
    const mixed = await runSpor(['keys', 'list'], { cwd: deep, env: { LAKE_URL: 'file:./x' } });
    expect([mixed.code, mixed.stderr.includes('nats://127.0.0.1:4222')]).toEqual([69, true]);
  });
});

describe('spor keys', () => {
  it('creates a key, prints it once and stores only its hash', async () => {
    const args = ['--tenant', 'demo-shop', '--segment', 'web', '--kind', 'server', '--origin', 'https://a.example'];
    const created = await json<CreatedKey>(
      'keys',
      'create',
      ...args,
      '--label',
      'x',
      '--quota',
      '50',
      '--expires',
      '90d',
    );
    expect(created.key).toMatch(/^ik_[\w-]{27}$/);
    expect(created.id).toBe(keyId(secretHash(created.key)));
    const stored = await storedKey(created.key);
    expect(stored).toEqual({
      tenantId: 'demo-shop',
      segmentId: 'web',
      kind: 'server',
      origins: ['https://a.example'],
      label: 'x',
      quotaEventsPerSecond: 50,
      createdAt: created.createdAt,
      expiresAt: created.expiresAt,
    });
    expect(Date.parse(created.expiresAt!) - Date.parse(created.createdAt)).toBe(90 * 86_400_000);
    const listed = await spor('keys', 'list', '--json');
    expect(listed.stdout).toContain(created.id);
    expect(listed.stdout).not.toContain(created.key);
  });

  it('gives the key alone on standard output, for a script to take', async () => {
    const { stdout, stderr } = await spor('keys', 'create', '--tenant', 'script-shop', '--segment', 'web');
    expect(stdout).toMatch(/^ik_[\w-]{27}\n$/);
    expect(stderr).not.toContain(stdout.trim());
    expect(await storedKey(stdout.trim())).toMatchObject({ tenantId: 'script-shop', kind: 'browser', origins: [] });
  });

  it('lists keys by tenant with their state', async () => {
    const { id } = await json<CreatedKey>('keys', 'create', '--tenant', 'list-shop', '--segment', 'web');
    await json('keys', 'create', '--tenant', 'list-shop', '--segment', 'app', '--expires', '1h');
    await json('keys', 'revoke', id);
    const { keys } = await json<{ keys: { state: string; segmentId: string }[] }>(
      'keys',
      'list',
      '--tenant',
      'list-shop',
    );
    expect(keys.map(({ segmentId, state }) => [segmentId, state])).toEqual([
      ['web', 'revoked'],
      ['app', 'expiring'],
    ]);
    expect((await spor('keys', 'list', '--tenant', 'nobody')).stdout).toContain('There are no keys');
  });

  it('revokes by id and by key, again without harm, and fails with code 1 for what is not there', async () => {
    const { key, id } = await json<CreatedKey>('keys', 'create', '--tenant', 'a', '--segment', 'b');
    const first = await json<{ revokedAt: string }>('keys', 'revoke', id.slice(0, 10));
    const again = await json<{ revokedAt: string }>('keys', 'revoke', key);
    expect(again.revokedAt).toBe(first.revokedAt);
    const missing = await spor('keys', 'revoke', 'ik_doesnotexist');
    expect(missing.code).toBe(1);
    expect(missing.stderr).not.toContain('ik_doesnotexist'); // secrets do not get into logs by way of messages
  });

  it('rotates: a new key with the same rights, the old one ending after the overlap', async () => {
    const old = await json<CreatedKey>(
      'keys',
      'create',
      '--tenant',
      'r',
      '--segment',
      's',
      '--origin',
      'https://r.example',
    );
    const next = await json<CreatedKey>('keys', 'rotate', old.id);
    expect(next.key).not.toBe(old.key);
    expect(next).toMatchObject({ tenantId: 'r', segmentId: 's', origins: ['https://r.example'] });
    expect(next.expiresAt).toBeUndefined();
    const hours = (Date.parse((await storedKey(old.key))!.expiresAt!) - Date.now()) / 3_600_000;
    expect(hours).toBeGreaterThan(23.9);
    expect(hours).toBeLessThanOrEqual(24);
    // Never later than it was to end anyway.
    await json('keys', 'rotate', old.id, '--overlap', '48h');
    expect((await storedKey(old.key))!.expiresAt).toBe(next.replaces!.expiresAt);
    await json('keys', 'revoke', old.id);
    expect((await spor('keys', 'rotate', old.id)).code).toBe(1);
  });
});

describe('times of expiry', () => {
  const ahead = (ms: number): void => void vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ms });
  afterEach(() => vi.useRealTimers());
  const KEY = ['keys', 'create', '--tenant', 'clock-shop', '--segment', 'web'];

  it("go by the stream server's clock", async () => {
    const startedMs = Date.now();
    ahead(600_000);
    const made = [
      await json<CreatedKey>(...KEY, '--expires', '1h'),
      await json<CreatedKey>('tokens', 'create', '--operator', '--expires', '1h'),
    ];
    const { id } = await json<CreatedKey>(...KEY);
    const { replaces } = await json<CreatedKey>('keys', 'rotate', id, '--overlap', '1h');
    vi.useRealTimers();
    for (const { expiresAt } of [...made, replaces!]) {
      expect(Date.parse(expiresAt!)).toBeGreaterThanOrEqual(startedMs + 3_600_000);
      expect(Date.parse(expiresAt!)).toBeLessThanOrEqual(Date.now() + 3_600_000);
    }
  });

  it('are refused while the clocks differ; a revocation is not', async () => {
    const { id } = await json<CreatedKey>(...KEY);
    ahead(3_600_000);
    for (const args of [
      [...KEY, '--expires', '1h'],
      ['keys', 'rotate', id],
      ['tokens', 'create', '--operator', '--expires', '1h'],
    ])
      expect(await spor(...args)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('clocks_differ') as string,
      });
    expect((await spor(...KEY)).code).toBe(0);
    expect((await spor('keys', 'revoke', id)).code).toBe(0);
  });
});

describe('spor keys at a running receiver', () => {
  let receiver: Receiver;
  beforeAll(async () => {
    receiver = await startReceiver(nats.url);
  });
  afterAll(() => receiver?.close());

  const send = async (key: string): Promise<number> => {
    const event = { eventId: crypto.randomUUID(), type: 'Search', sessionId: 's', phrase: 'x', resultsCount: 1 };
    const body = { instrumentationKey: key, events: [{ ...event, timestamp: new Date().toISOString() }] };
    return (await receiver.post(body)).status;
  };
  const untilAnswered = (key: string, status: number): Promise<void> => until(async () => (await send(key)) === status);

  it('work once created; rotated ones overlap, then the old one ends; revoked ones end', async () => {
    const old = await json<CreatedKey>('keys', 'create', '--tenant', 'live', '--segment', 'web');
    await untilAnswered(old.key, 202);
    const next = await json<CreatedKey>('keys', 'rotate', old.id, '--overlap', '10s');
    await untilAnswered(next.key, 202);
    expect(await send(old.key)).toBe(202);
    await untilAnswered(old.key, 401);
    expect([await send(old.key), await send(next.key)]).toEqual([401, 202]);
    await json('keys', 'revoke', next.id);
    await untilAnswered(next.key, 401);
  });
});

describe('npm run load', () => {
  it('plays against a running receiver with keys of its own, and says what became of it', async () => {
    const receiver = await startReceiver(nats.url);
    try {
      const args = ['--url', receiver.url, '--seconds', '2', '--rate', '300', '--seed', '1', '--bad', '0.05', '--json'];
      const { code, stdout, stderr } = await runScript('scripts/load/main.ts', args, { env: { NATS_URL: nats.url } });
      expect([code, stderr.includes('load:')], stderr).toEqual([0, false]);
      const result = JSON.parse(stdout) as Record<string, number>;
      expect(result).toMatchObject({ unexpectedVerdicts: 0, givenUp: 0, resends: 0 });
      expect(result.accepted! + result.rejected!).toBe(result.sent);
      expect(result.rejected).toBeGreaterThan(0);
      const stored = (await receiver.stored()).filter(({ subject }) => /demo-shop|nordic-outlet/.test(subject));
      expect(stored.reduce((sum, batch) => sum + batch.events.length, 0)).toBe(result.accepted);
    } finally {
      await receiver.close();
    }
  });

  it('tells what it could not send', async () => {
    const args = [
      '--url',
      'http://127.0.0.1:1',
      '--key',
      'ik_x',
      '--seconds',
      '1',
      '--rate',
      '50',
      '--patience',
      '1s',
      '--json',
    ];
    const { code, stdout } = await runScript('scripts/load/main.ts', args);
    expect(code).toBe(1);
    expect((JSON.parse(stdout) as { givenUp: number }).givenUp).toBeGreaterThan(0);
  });
});

describe('spor tokens', () => {
  it('creates, lists and revokes', async () => {
    const { stdout } = await spor('tokens', 'create', '--tenant', 'demo-shop', '--segment', 'web');
    expect(stdout).toMatch(/^rt_[\w-]{27}\n$/);
    const id = keyId(secretHash(stdout.trim()));
    await json('tokens', 'revoke', id);
    const { tokens } = await json<{ tokens: { id: string }[] }>('tokens', 'list');
    const listed = tokens.filter((token) => token.id === id); // those of the tests before are there too
    expect(listed).toMatchObject([{ tenantId: 'demo-shop', segmentIds: ['web'], state: 'revoked' }]);
  });

  it('creates an operator token, which has no tenant', async () => {
    const made = await json<{ token: string; role: string; tenantId?: string }>('tokens', 'create', '--operator');
    expect(made).toMatchObject({ token: expect.stringMatching(/^ot_[\w-]{27}$/) as string, role: 'operator' });
    expect(made.tenantId).toBeUndefined();
    const both = await spor('tokens', 'create', '--operator', '--tenant', 'demo-shop');
    expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('omit --tenant and --segment') as string]);
  });
});

describe('spor status', () => {
  it('tells each shard, and with code 1 what needs attention', async () => {
    const { code, stdout } = await runSpor(['status', '--json'], {
      env: { NATS_URL: nats.url, INGEST_URL: 'http://127.0.0.1:1' },
    });
    const { shards, services, attention } = JSON.parse(stdout) as Record<string, object[]>;
    expect(code).toBe(1);
    expect(shards!.length).toBe(4);
    expect(
      shards!.reduce((sum: number, shard) => sum + (shard as { lagMessages: number }).lagMessages, 0),
    ).toBeGreaterThan(0);
    expect(services).toMatchObject([{ name: 'ingest', state: expect.stringContaining('does not answer') as string }]);
    expect(attention).toContain('shard 0 has no owner: start a processor');
  });
});

/** A Node that is not the pinned one, where the machine has one: npm scripts put the pinned one first on PATH. */
function hostNode(): string {
  const found = execFileSync('which', ['-a', 'node'], { encoding: 'utf8' }).trim().split('\n');
  return found.find((path) => !path.includes('node_modules')) ?? process.execPath;
}
