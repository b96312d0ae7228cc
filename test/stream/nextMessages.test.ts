import { jetstream, jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createLog } from '../../runtime/log.ts';
import { connectNats, type NatsConnection } from '../../stream/nats.ts';
import { nextMessages } from '../../stream/nextMessages.ts';
import { startNats, type TestNats } from '../support/nats.ts';

let nats: TestNats;
let connection: NatsConnection;
let manager: JetStreamManager;

beforeAll(async () => {
  nats = await startNats();
  connection = await connectNats({ url: nats.url, name: 'test', log: createLog('test', 'silent') });
  manager = await jetstreamManager(connection);
});

afterAll(async () => {
  await connection?.close();
  await nats?.stop();
});

async function fill(stream: string, messages: number): Promise<void> {
  await manager.streams.add({ name: stream, subjects: ['events.0.>'], allow_direct: true });
  for (let n = 1; n <= messages; n++) await jetstream(connection).publish('events.0.demo.web', String(n));
}

it('a replica that is behind its leader ends no answer too early', async () => {
  // A second stream, with the first messages of the other, stands for the replica.
  await fill('REPLICA', 2);
  await manager.streams.update('REPLICA', { subjects: ['unused.>'] });
  await fill('LEADER', 4);
  const direct = { getBatch: (_, query) => manager.direct.getBatch('REPLICA', query) } as JetStreamManager['direct'];
  const behind = { direct, streams: manager.streams } as JetStreamManager;
  const read: number[] = [];
  for (let complete = false; !complete;) {
    const next = await nextMessages(connection, behind, {
      stream: 'LEADER',
      subject: '*.0.demo.*',
      seq: (read.at(-1) ?? 0) + 1,
      to: 3,
      maxBytes: 1_000_000,
    });
    read.push(...next.messages.map(({ sequence }) => sequence));
    complete = next.complete;
  }
  expect(read).toEqual([1, 2, 3]);
});
