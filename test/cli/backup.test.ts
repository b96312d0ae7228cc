import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readBackup } from '../../cli/backup/format.ts';
import { restoreBackup } from '../../cli/backup/restore.ts';
import type { LakeParts } from '../../cli/carryOver/lakeParts.ts';
import { mayBeMissing, readStreamsRecord } from '../../stream/streamsRecord.ts';
import { openSecretStore } from '../../stream/secretStore.ts';
import { newSecret, secretHash, type KeyRecord } from '../../schemas/keys.ts';
import { KEYS_BUCKET } from '../../stream/buckets.ts';
import { anEvent, messageOf, SHARDS } from '../support/messages.ts';
import { runSpor } from '../support/runScript.ts';
import { startTestPipeline, type TestPipeline } from '../support/testPipeline.ts';
import { until } from '../support/until.ts';

const TENANT = 'demo-shop';
let bench: TestPipeline;
let dir: string;
const sent: string[] = [];

beforeAll(async () => {
  bench = await startTestPipeline();
  dir = await mkdtemp(join(tmpdir(), 'spor-test-backup-'));
});
afterAll(async () => {
  await bench?.stop();
  await rm(dir, { recursive: true, force: true });
});

const spor = (...args: string[]) =>
  runSpor(args, {
    env: {
      NATS_URL: bench.nats.url,
      LAKE_URL: `file:${bench.lakeDir}`,
      SPOR_SHARDS: String(SHARDS),
      S3_SECRET_ACCESS_KEY: 'not for the backup',
      SPOR_CACHE_DIR: dir,
    },
  });
const connected = (): Promise<void> => until(async () => (await bench.connection.flush(), true));

async function publish(count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    const event = anEvent(index);
    sent.push(event.eventId);
    await bench.publish(messageOf(TENANT, 'web', [{ events: [event] }]));
  }
}

/** Starts a processor until the tenant's table has every event once, and stops it. */
async function expectAllOnce(): Promise<void> {
  const processor = await bench.processor();
  const stored = async (): Promise<string[]> =>
    (await bench.rows('events', TENANT, 'event_id')).map((row) => String(row.event_id)).sort();
  await until(async () => (await stored()).length >= sent.length);
  await bench.settled();
  expect(await stored()).toEqual([...sent].sort());
  await processor.kill('SIGTERM');
}

test('a backup brings back what was lost: the stream server, the lake, or both', async () => {
  const keys = await openSecretStore<KeyRecord>(bench.connection, KEYS_BUCKET, 1);
  const hash = secretHash(newSecret('ik'));
  const createdAt = new Date().toISOString();
  const record: KeyRecord = { tenantId: TENANT, segmentId: 'web', kind: 'server', origins: [], label: '', createdAt };
  await keys.create(hash, record);
  await publish(3);
  await expectAllOnce();
  await publish(2);

  // The stream server is gone for good, the lake is kept.
  const first = join(dir, 'first');
  const written = await spor('backup', first, '--json');
  expect(written).toMatchObject({ code: 0, stderr: '' });
  expect((await spor('backup', first)).stderr).toContain('has files: name a new folder');
  expect(await readFile(join(first, 'settings.json'), 'utf8')).not.toContain('not for the backup');
  expect((await spor('restore', first)).stderr).toContain('the stream server is not empty: EVENTS_');
  await bench.nats.putStore('empty');
  await connected();
  // Interrupted at its first message: the loss is known before there is a stream.
  const lakeParts = () => ({ missing: () => Promise.reject(new Error('interrupted')) }) as unknown as LakeParts;
  const request = {
    connection: bench.connection,
    replicas: 1,
    dir: first,
    manifest: await readBackup(first),
    lakeParts,
  };
  await expect(restoreBackup(request)).rejects.toThrow('interrupted');
  expect((await readStreamsRecord(bench.manager))!.lost.filter(mayBeMissing).length).toBeGreaterThan(0);
  expect(await spor('restore', first)).toMatchObject({ code: 0, stderr: '' });
  expect(await spor('restore', first)).toMatchObject({ code: 0, stderr: '' }); // once more, as after an interruption
  expect(await keys.get(hash)).toEqual(record);
  await expectAllOnce();
  const status = await spor('status', '--tenant', TENANT);
  expect(status.stdout).toContain('stream_gone');
  expect((await spor('stream', 'accept-loss')).code).toBe(0);
  expect((await spor('status', '--tenant', TENANT)).stdout).not.toContain('stream_gone');

  // The lake is gone to last night's copy, the stream is kept.
  const night = join(dir, 'night');
  await cp(bench.lakeDir, night, { recursive: true });
  await publish(2);
  await expectAllOnce();
  const backToNight = async (): Promise<void> => {
    await rm(bench.lakeDir, { recursive: true });
    await cp(night, bench.lakeDir, { recursive: true });
  };
  await backToNight();
  expect(await spor('stream', 'rewind')).toMatchObject({ code: 0, stderr: '' });
  await expectAllOnce();

  // Both: a backup of all that the streams hold, and an older copy of the lake.
  await publish(1);
  const second = join(dir, 'second');
  expect((await spor('backup', second, '--all')).code).toBe(0);
  await backToNight();
  await bench.nats.putStore('empty');
  await connected();
  expect(await spor('restore', second)).toMatchObject({ code: 0, stderr: '' });
  await expectAllOnce();
});

test('what is no backup, is damaged or of a newer format is refused with the reason', async () => {
  expect((await spor('restore', tmpdir())).stderr).toContain('is not a backup: it has no spor-backup.json');
  const backup = join(dir, 'refused');
  expect((await spor('backup', backup)).code).toBe(0);
  const manifest = join(backup, 'spor-backup.json');
  const text = await readFile(manifest, 'utf8');
  await writeFile(manifest, text.replace('"format": 1', '"format": 2'));
  expect((await spor('restore', backup)).stderr).toContain('has format 2, and this version of Spor reads up to 1');
  await writeFile(manifest, '{"format":"1"}');
  expect((await spor('restore', backup)).stderr).toContain('is not a backup: its spor-backup.json has another form');
  await writeFile(manifest, text);
  await writeFile(join(backup, 'schemas.json'), 'null ');
  expect((await spor('restore', backup)).stderr).toContain('is damaged: schemas.json has changed');
});
