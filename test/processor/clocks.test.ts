import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Intents } from '../../processor/commit/intents.ts';
import { DAY_MS } from '../../runtime/units.ts';
import { shardOf, streamName } from '../../schemas/subjects.ts';
import { anEvent, messageOf, SHARDS } from '../support/messages.ts';
import { startTestPipeline, type TestPipeline, type TestProcessor } from '../support/testPipeline.ts';
import { until } from '../support/until.ts';

const CLOCK_JUMP = new URL('../../scripts/chaos/clockJump.ts', import.meta.url).href;
const SHARD = shardOf('shop', SHARDS);
let bench: TestPipeline;

beforeEach(async () => {
  bench = await startTestPipeline();
});
afterEach(async () => {
  vi.useRealTimers();
  await bench.stop();
});

async function metric({ port }: TestProcessor, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(new RegExp(`^spor_processor_${name}\\{shard="${SHARD}"[^}]*\\} (\\S+)$`, 'm').exec(text)?.[1]);
}

test('a processor years ahead and then years behind forgets no message and no id, and says so', async () => {
  const processor = await bench.processor({ STREAM_KEEP_HOURS: '1', NODE_OPTIONS: `--import=${CLOCK_JUMP}` });
  const event = anEvent(0);
  const send = async (): Promise<void> => {
    await bench.publish(messageOf('shop', 'web', [{ events: [event] }]));
    await bench.settled();
    await until(async () => (await metric(processor, 'lag_messages')) === 0);
  };
  await send();
  for (const offMs of [3_650 * DAY_MS, -3_650 * DAY_MS]) {
    processor.child.send({ clockOffsetMs: offMs });
    await until(async () => Math.abs((await metric(processor, 'clock_ahead_seconds')) - offMs / 1_000) < 60);
    // Twice: the second one sees the end of a whole round of the shard's housekeeping.
    await send();
    await send();
  }
  const { state } = await bench.manager.streams.info(streamName(SHARD));
  expect([state.first_seq, state.last_seq]).toEqual([1, 5]);
  expect(await bench.rows('events', 'shop', 'event_id')).toEqual([{ event_id: event.eventId }]);
});

test('a host whose clock is ahead keeps the intents that another one has just cleaned up', async () => {
  const takeOver = (epoch: number): Promise<Intents> =>
    Intents.takeOver(bench.connection, { shard: SHARD, epoch, appId: 'EVENTS_0@then' }, 1);
  await (await takeOver(1)).record({ 'events/tenant=shop': ['one.parquet'] });
  const second = await takeOver(2);
  await second.recovered(second.left);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + DAY_MS });
  const third = await takeOver(3);
  await third.recovered(third.left);
  expect((await takeOver(4)).left).toMatchObject([{ epoch: 1, files: { 'events/tenant=shop': ['one.parquet'] } }]);
});
