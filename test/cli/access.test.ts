import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLog } from '../../runtime/log.ts';
import type { KeyRecord } from '../../schemas/keys.ts';
import { KEYS_BUCKET } from '../../stream/buckets.ts';
import { RefusedCredentialsError } from '../../stream/connectRefusal.ts';
import { connectNats, type NatsConnection } from '../../stream/nats.ts';
import { openSecretStore } from '../../stream/secretStore.ts';
import { anEvent, makeKey } from '../ingest/receiver.ts';
import { startNats } from '../support/nats.ts';
import { runSpor, type Finished } from '../support/runScript.ts';
import { runStack, type RunningStack } from '../support/runningStack.ts';

import { until } from '../support/until.ts';

const log = createLog('test', 'silent');
let running: RunningStack;
let dir: string;
/** Made while the stream server had no locks. */
let oldKey: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-access-'));
  await mkdir(join(dir, 'nats'));
  await withoutLocks(join(dir, 'nats', 'jetstream'));
  running = await runStack({ dir });
});
afterAll(async () => {
  await running.close();
  await rm(dir, { recursive: true, force: true, maxRetries: 5 });
});

/** The store of a stack of an earlier version, with a key in it. */
async function withoutLocks(storeDir: string): Promise<void> {
  const open = await startNats({ open: true });
  const connection = await connectNats({ url: open.url, name: 'test', log });
  oldKey = await makeKey(await openSecretStore<KeyRecord>(connection, KEYS_BUCKET, 1));
  await connection.close();
  await open.kill('SIGTERM');
  await rename(join(open.dir, 'js'), storeDir);
  await open.stop();
}

const access = (...args: string[]): Promise<Finished> => runSpor(['access', ...args], { env: running.stack.env });

async function connectAs(seedFile: string): Promise<NatsConnection> {
  const natsNkey = (await readFile(seedFile, 'utf8')).trim();
  return connectNats({ url: running.stack.natsUrl, access: { natsNkey }, name: 'test', log, wait: false });
}

/** Whether nats-server has read its users again. */
async function isKnown(seedFile: string): Promise<boolean> {
  await (await connectAs(seedFile)).close();
  return true;
}

describe('a stack', () => {
  it('of an earlier version gets identities at its next start, and goes on with its data', async () => {
    expect((await running.post(oldKey, { events: [anEvent()] })).status).toBe(202);
  });
});

describe('spor access', () => {
  it('lists the identities that a stack makes by itself', async () => {
    const { identities } = JSON.parse((await access('list', '--json')).stdout) as { identities: { name: string }[] };
    expect(identities.map(({ name }) => name)).toEqual(['ingest', 'processor', 'query', 'operator']);
    expect((await access('init')).stdout).toContain('All identities were there.');
  });

  it("makes an identity downstream, which reads its tenant's events until it is rotated or revoked", async () => {
    const created = await access('create', 'recommender', '--tenant', 'demo-shop', '--segment', 'web', '--json');
    expect(created.stderr).toBe('');
    const { seedFile } = JSON.parse(created.stdout) as { seedFile: string };
    await until(() => isKnown(seedFile));
    const connection = await connectAs(seedFile);
    const seen: string[] = [];
    connection.subscribe('events.*.demo-shop.web', { callback: (_, message) => void seen.push(message.subject) });
    await connection.flush();
    const key = await running.createKey('demo-shop', 'web');
    const other = await running.createKey('other-shop', 'web');
    for (const one of [other, key]) expect((await running.post(one, { events: [anEvent()] })).status).toBe(202);
    await until(() => seen.length > 0);
    expect(seen).toEqual([expect.stringMatching(/^events\.\d\.demo-shop\.web$/)]);

    expect((await access('rotate', 'recommender')).stdout).toBe(`${seedFile}\n`);
    await until(() => connection.isClosed());
    await until(() => isKnown(seedFile));
    const before = await readFile(seedFile, 'utf8');
    expect((await access('revoke', 'recommender')).stdout).toContain('Identity recommender is revoked.');
    const natsNkey = before.trim();
    const again = (): Promise<unknown> =>
      connectNats({ url: running.stack.natsUrl, access: { natsNkey }, name: 'test', log, wait: false });
    await until(async () => (await again().catch((error: unknown) => error)) instanceof RefusedCredentialsError);
  });

  it('gives people the rights of a role, and a command that lacks them says which', async () => {
    const created = await access('create', 'ane', '--role', 'auditor', '--json');
    const { seedFile } = JSON.parse(created.stdout) as { seedFile: string };
    const env = { ...running.stack.env, NATS_NKEY_FILE: seedFile };
    await until(() => isKnown(seedFile));
    expect((await runSpor(['status', '--json'], { env })).code).toBe(0);
    // Once the tenant has a table: before that, only its keys tell that it exists.
    await until(async () => (await runSpor(['status', '--tenant', 'demo-shop', '--json'], { env })).code === 0);
    const denied = await runSpor(['keys', 'list'], { env });
    expect(denied.code).toBe(1);
    expect(denied.stderr).toMatch(
      /this identity may not publish to \$JS\.API\.STREAM\.INFO\.KV_spor_keys: use .* role/,
    );
    const keys = JSON.parse((await access('create', 'kim', '--role', 'keys', '--json')).stdout) as { seedFile: string };
    const kim = { ...running.stack.env, NATS_NKEY_FILE: keys.seedFile };
    await until(() => isKnown(keys.seedFile));
    const key = await runSpor(['keys', 'create', '--tenant', 'demo-shop', '--segment', 'web', '--json'], { env: kim });
    expect([key.code, key.stderr]).toEqual([0, '']);
    expect((await runSpor(['status'], { env: kim })).stderr).toContain('may not publish to $JS.API.STREAM.');
    const stranger = { NATS_URL: running.stack.natsUrl, LAKE_URL: running.stack.lakeUrl };
    const refused = await runSpor(['keys', 'list'], { env: stranger });
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('refuses the credentials')]);
  });

  it.each([
    [['create', 'x'], 'give either --tenant or --role'],
    [['create', 'x', '--tenant', 't', '--role', 'keys'], 'give either --tenant or --role'],
    [['create', 'X', '--role', 'keys'], '"X" is not a name'],
    [['create', 'x', '--role', 'downstream'], '--role downstream is not a role'],
    [['create', 'x', '--role', 'keys', '--segment', 'web'], 'belong to --tenant'],
    [['create', 'x', '--tenant', 'demo-shop', '--subject', 'events.>'], 'is not a subject outside events'],
    [['create', 'x', '--tenant', 'demo-shop', '--subject', '>'], 'is not a subject outside events'],
    [['create', 'ingest', '--role', 'keys'], 'there is an identity ingest'],
    [['revoke', 'nobody'], 'there is no identity nobody'],
  ])('refuses %j', async (args, message) => {
    expect((await access(...args)).stderr).toContain(message);
  });
});
