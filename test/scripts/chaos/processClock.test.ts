import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { expect, test } from 'vitest';
import { createLog } from '../../../runtime/log.ts';
import { DAY_MS } from '../../../runtime/units.ts';
import { clockObstacle, openProcessClock } from '../../../scripts/chaos/processClock.ts';
import { connectNats } from '../../../stream/nats.ts';
import { startNats } from '../../support/nats.ts';

const YEARS_MS = 3_650 * DAY_MS;

test('the clock of a running nats-server is set by years, and back', async ({ skip }) => {
  const obstacle = clockObstacle();
  if (obstacle !== undefined) return skip(obstacle);
  const nats = await startNats();
  const connection = await connectNats({ url: nats.url, name: 'test', log: createLog('test', 'silent') });
  try {
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: 'S', subjects: ['s'] });
    const storedDaysOff = async (): Promise<number> => {
      const { seq } = await jetstream(connection).publish('s');
      const message = await manager.streams.getMessage('S', { seq });
      return Math.round((message!.time.getTime() - Date.now()) / DAY_MS);
    };
    const days: number[] = [];
    for (const offsetMs of [YEARS_MS, -YEARS_MS, 0]) {
      (await openProcessClock(nats.pid)).set(offsetMs);
      days.push(await storedDaysOff());
    }
    expect(days).toEqual([3_650, -3_650, expect.closeTo(0)]);
  } finally {
    await connection.close();
    await nats.stop();
  }
});
