import { rename, rm, writeFile } from 'node:fs/promises';
import { afterEach, expect, test } from 'vitest';
import { ensureStreams } from '../../stream/streams.ts';
import { shardOf, streamName, streamSubjects } from '../../schemas/subjects.ts';
import { childrenOf } from '../../scripts/stack/processes.ts';
import { until } from '../support/until.ts';
import { anEvent, messageOf, SHARDS, type TestEvent } from '../support/messages.ts';
import { startTestPipeline, type TestPipeline } from '../support/testPipeline.ts';

let bench: TestPipeline;

afterEach(() => bench.stop());

const someEvents = (count: number): TestEvent[] => Array.from({ length: count }, (_, index) => anEvent(index));

const readyz = async (port: number): Promise<{ code: number; reason?: string }> => {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`);
  const { reason } = (await response.json()) as { reason?: string };
  return { code: response.status, ...(reason === undefined ? {} : { reason }) };
};

test('while the lake is away the window waits, readyz says so, and nothing is skipped', async () => {
  bench = await startTestPipeline();
  const processor = await bench.processor();
  await bench.publish(messageOf('shop', 'web', [{ events: someEvents(10) }]));
  await bench.settled();
  expect(await readyz(processor.port)).toMatchObject({ code: 200 });
  await rename(bench.lakeDir, `${bench.lakeDir}.away`);
  await writeFile(bench.lakeDir, 'in the way');
  for (let i = 0; i < 5; i++) await bench.publish(messageOf('shop', 'web', [{ events: someEvents(10) }]));
  await until(async () => (await readyz(processor.port)).code === 503);
  expect((await readyz(processor.port)).reason).toMatch(/^shard \d: \w+/);
  await rm(bench.lakeDir);
  await rename(`${bench.lakeDir}.away`, bench.lakeDir);
  await bench.settled();
  expect(await bench.rows('events', 'shop')).toHaveLength(60);
  expect(await bench.globCount('events', 'shop')).toBe(60);
  await until(async () => (await readyz(processor.port)).code === 200);
});

test("when DuckDB's process dies it is started again and the window is written", async () => {
  bench = await startTestPipeline();
  const processor = await bench.processor({ WINDOW_MAX_MS: '50' });
  await bench.publish(messageOf('shop', 'web', [{ events: someEvents(10) }]));
  await bench.settled();
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 5; i++) await bench.publish(messageOf('shop', 'web', [{ events: someEvents(200) }]));
    for (const pid of childrenOf(processor.child.pid!)) process.kill(pid, 'SIGKILL');
    await bench.settled();
  }
  expect(await bench.rows('events', 'shop')).toHaveLength(10 + 3 * 5 * 200);
  expect(processor.child.exitCode).toBeNull();
});

test("a window that does not fit into DuckDB's memory is written in parts", async () => {
  bench = await startTestPipeline();
  for (let i = 0; i < 40; i++) await bench.publish(messageOf('shop', 'web', [{ events: someEvents(1_500) }]));
  const processor = await bench.processor({ DUCKDB_MEMORY: '60MB', WINDOW_MAX_MS: '5000' });
  await bench.settled();
  expect(await bench.rows('events', 'shop', 'count(*)::INTEGER AS n', 'n')).toEqual([{ n: 60_000 }]);
  await until(() => processor.log().includes('is written in parts'));
  const order = 'lag((type, event_time)) OVER (PARTITION BY filename ORDER BY file_row_number) <= (type, event_time)';
  const sorted = await bench.rows('events', 'shop', `DISTINCT coalesce(${order}, true) AS sorted`, 'sorted');
  expect(sorted).toEqual([{ sorted: true }]);
});

test('a stream made anew is read from its beginning, under its own identity', async () => {
  bench = await startTestPipeline();
  await bench.processor();
  const name = streamName(shardOf('shop', SHARDS));
  for (let i = 0; i < 3; i++) await bench.publish(messageOf('shop', 'web', [{ events: someEvents(10) }]));
  await bench.settled();
  await bench.manager.streams.delete(name);
  const streams = Array.from({ length: SHARDS }, (_, shard) => ({
    name: streamName(shard),
    subjects: streamSubjects(shard),
  }));
  await bench.manager.streams.add({ name, subjects: streams.find((stream) => stream.name === name)!.subjects });
  await ensureStreams(bench.connection, { streams, beyond: streamName(SHARDS), maxBytes: 1 << 30, replicas: 1 });
  for (let i = 0; i < 2; i++) await bench.publish(messageOf('shop', 'web', [{ events: someEvents(10) }]));
  await until(async () => (await bench.rows('events', 'shop')).length === 50);
  const receipts = new Set((await bench.rows('events', 'shop')).map((row) => String(row.receipt_id).split('-')[0]));
  expect(receipts.size).toBe(2);
});

test('committed messages leave a stream that fills up, so that it goes on taking new ones', async () => {
  bench = await startTestPipeline({ maxBytes: 4 * 1_048_576 });
  await bench.processor({ STREAM_MAX_BYTES: String(4 * 1_048_576) });
  const shard = shardOf('shop', SHARDS);
  let sent = 0;
  for (let i = 0; i < 80; i++) {
    await until(async () => {
      await bench.publish(messageOf('shop', 'web', [{ events: someEvents(500) }]));
      return true;
    });
    sent += 500;
  }
  await bench.settled();
  expect(await bench.rows('events', 'shop', 'count(*)::INTEGER AS n', 'n')).toEqual([{ n: sent }]);
  const { state } = await bench.manager.streams.info(streamName(shard));
  expect(state.first_seq).toBeGreaterThan(1);
});
