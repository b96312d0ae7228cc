import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lakeFolderFiles } from '../../lake/files/localFiles.ts';
import { changeFiles } from '../../lake/layout/changeFiles.ts';
import { openLocalStorage } from '../../lake/storage/local.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { createChanges } from '../../query/accounts/changes.ts';
import { recorded, type ChangeLog, type ChangeRecord } from '../../schemas/change.ts';
import { commitRows } from '../support/lakeFixture.ts';
import { asRole } from '../support/locks.ts';
import { startNats, type TestNats } from '../support/nats.ts';
import { runSpor } from '../support/runScript.ts';

let dir: string;
let nats: TestNats;
let storage: Storage;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-audit-'));
  nats = await startNats();
  storage = await openLocalStorage(join(dir, 'lake'));
  const event = { type: 'Search', event_id: 'e-1', event_time: '2026-11-23T10:00:00Z', user_id: 'anna-7' };
  await commitRows(storage, 'shop', [event]);
});
afterAll(async () => {
  await nats?.stop();
  await rm(dir, { recursive: true, force: true });
});

async function spor(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = {
    NATS_URL: asRole(nats.url, 'operator'),
    LAKE_URL: `file:${join(dir, 'lake')}`,
    ACCESS_DIR: join(dir, 'access'),
  };
  return runSpor(args, { env });
}

async function audit(...args: string[]): Promise<ChangeRecord[]> {
  return (JSON.parse((await spor('audit', '--json', ...args)).stdout) as { changes: ChangeRecord[] }).changes;
}

test('every change is listed with who, what, before and after, and without secrets or persons', async () => {
  const { stdout: key } = await spor('keys', 'create', '--tenant', 'shop', '--segment', 'web');
  const { stdout: next } = await spor('keys', 'rotate', key.trim());
  await spor('keys', 'revoke', next.trim());
  const { stdout: token } = await spor('tokens', 'create', '--operator', '--label', 'console');
  await spor('tokens', 'revoke', token.trim());
  await spor('quota', 'set', '--tenant', 'shop', '--per-day', '5000');
  await spor('quota', 'clear', '--tenant', 'shop');
  await spor('ids', 'set', '--tenant', 'shop', '--shared');
  await spor('zones', 'set', '--tenant', 'shop', '--zone', 'Europe/Copenhagen');
  await spor('retention', 'set', '--tenant', 'shop', '--days', '36500');
  await spor('retention', 'set', '--tenant', 'shop', '--days', '36400');
  await spor('retention', 'undo', '--tenant', 'shop');
  await spor('erase', '--tenant', 'shop', '--user', 'anna-7', '--dry-run');
  expect((await spor('erase', '--tenant', 'shop', '--user', 'anna-7', '--by', 'jens')).code).toBe(0);
  await spor('access', 'init');
  await spor('access', 'create', 'partner', '--tenant', 'shop');
  await spor('schemas', 'accept');
  const changes = await audit();
  expect(changes.map(({ action, outcome }) => [action, outcome])).toEqual(
    [
      'schemas.accept',
      'identity.create',
      'identity.init',
      'person.erase',
      'retention.undo',
      'retention.set',
      'retention.set',
      'zone.set',
      'ids.set',
      'quota.set',
      'quota.set',
      'token.revoke',
      'token.create',
      'key.revoke',
      'key.rotate',
      'key.create',
    ].map((action) => [action, 'done']),
  );
  const [revoked] = await audit('--action', 'key.revoke');
  expect(revoked).toMatchObject({ tenantId: 'shop', segmentId: 'web', before: { kind: 'browser' } });
  expect((revoked!.after as { revokedAt?: string }).revokedAt).toBeDefined();
  expect(revoked!.by).toMatch(/^.+@.+$/);
  const [, second] = await audit('--action', 'retention', '--tenant', 'shop');
  expect(second).toMatchObject({ before: { days: 36_500 }, after: { days: 36_400 } });
  expect((await audit('--action', 'quota'))[0]).toMatchObject({ before: { eventsPerDay: 5_000 }, after: {} });
  expect((await audit('--action', 'person'))[0]!.about).toBe('{"ids":1,"linked":false,"signedBy":"jens"}');
  const text = JSON.stringify(changes);
  for (const secret of [key, next, token]) expect(text).not.toContain(secret.trim());
  expect(text).not.toContain('anna-7');
});

test('a change that fails says why, and one whose process ended is still there', async () => {
  expect((await spor('keys', 'revoke', '0123456789abcdef')).code).toBe(1);
  expect((await audit('--limit', '1'))[0]).toMatchObject({ action: 'key.revoke', outcome: 'failed' });
  expect((await audit('--limit', '1'))[0]!.message).toContain('there is no key');
  const log = changeFiles(storage);
  const killed: ChangeLog = { begin: (record) => log.begin(record), end: () => Promise.reject(new Error('killed')) };
  await expect(recorded(killed, { action: 'x', by: 'test' }, () => Promise.resolve(1))).rejects.toThrow('killed');
  expect((await audit('--limit', '1'))[0]).toMatchObject({ action: 'x', outcome: 'begun' });
  // What cannot be recorded is not made.
  let made = false;
  const full: ChangeLog = { begin: () => Promise.reject(new Error('full')), end: () => Promise.resolve() };
  const make = (): Promise<void> => Promise.resolve(void (made = true));
  await expect(recorded(full, { action: 'y', by: 'test' }, make)).rejects.toThrow('full');
  expect(made).toBe(false);
});

test('the table keeps the changes when their sources are gone, and SQL answers over all', async () => {
  const before = await audit('--limit', '1000');
  const open = (others: ChangeRecord[]) =>
    createChanges({ storage, localFiles: lakeFolderFiles(storage), others: () => others });
  const server = open(before);
  await server.update();
  await server.update();
  await server.close();
  const alone = open([]);
  expect(await alone.list()).toEqual(before);
  await alone.close();
  const sql = `select action, count(*) as n from audit where tenant_id = 'shop' and action like 'key.%' group by 1 order by 1`;
  const { stdout } = await spor('audit', '--json', '--sql', sql);
  expect(JSON.parse(stdout)).toEqual({
    rows: [
      { action: 'key.create', n: '1' },
      { action: 'key.revoke', n: '1' },
      { action: 'key.rotate', n: '1' },
    ],
  });
  expect((await spor('audit', '--sql', 'select 1', '--limit', '5')).code).toBe(2);
});
