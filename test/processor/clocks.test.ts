import { afterEach, beforeEach, expect, test } from 'vitest';
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
afterEach(() => bench.stop());

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
