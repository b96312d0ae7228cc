import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { jetstream, jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MessageReader } from '../../stream/reader.ts';
import { createLog } from '../../runtime/log.ts';
import { connectNats, type NatsConnection } from '../../stream/nats.ts';
import { startNats, type TestNats } from '../support/nats.ts';
import { until } from '../support/until.ts';

const STREAM = 'READ';
const MESSAGES = 200;
const log = createLog('test', 'silent');
let nats: TestNats;
let connection: NatsConnection;
let manager: JetStreamManager;

beforeAll(async () => {
  nats = await startNats();
  connection = await connectNats({ url: nats.url, name: 'test', log });
  manager = await jetstreamManager(connection);
  await manager.streams.add({ name: STREAM, subjects: ['read'] });
  const client = jetstream(connection);
  for (let index = 0; index < MESSAGES; index++) await client.publish('read', `${index}`.padEnd(1_000));
});

afterAll(async () => {
  await connection?.close();
  await nats?.stop();
});

function openReader(maxBytes: number): MessageReader {
  return new MessageReader({ connection, manager, stream: STREAM, from: 1, maxBytes, log });
}

test('messages come in order, each once, however little may wait', async () => {
  const reader = openReader(8_000);
  const read: number[] = [];
  while (read.length < MESSAGES) {
    await reader.arrived(5_000);
    for (let message = reader.shift(); message; message = reader.shift()) read.push(message.sequence);
  }
  expect(read).toEqual(Array.from({ length: MESSAGES }, (_, index) => index + 1));
  expect(reader.shift()).toBeUndefined();
  reader.close();
});

test('what is handed over is let go, though there is always more waiting', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const reader = openReader(10_000_000);
  await reader.arrived();
  await until(() => reader.waiting === 0);
  const handedOver = Array.from({ length: MESSAGES / 2 }, () => new WeakRef(reader.shift()!.data));
  await until(() => {
    collectGarbage();
    return handedOver.every((data) => data.deref() === undefined);
  });
  expect(reader.shift()!.sequence).toBe(MESSAGES / 2 + 1);
  reader.close();
});
