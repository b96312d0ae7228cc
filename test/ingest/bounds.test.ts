import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startNats, type TestNats } from '../support/nats.ts';
import { until } from '../support/until.ts';
import { anEvent, startReceiver, type Receiver } from './receiver.ts';

let nats: TestNats;
let receiver: Receiver;
let key: string;
const sockets: Socket[] = [];

beforeEach(async () => {
  nats = await startNats();
  receiver = await startReceiver(nats.url, {
    env: { INGEST_MAX_IN_FLIGHT_BYTES: '2097152', INGEST_ACK_DEADLINE_MS: '20000' },
  });
  key = await receiver.createKey();
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await nats?.kill('SIGCONT');
  await receiver?.close();
  await nats?.stop();
});

/** A request of which only a part is sent. */
async function sendPart(head: string, part: string | Uint8Array): Promise<Socket> {
  const socket = connect(receiver.port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(`POST /api/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${head}\r\n\r\n`);
  socket.write(part);
  return socket;
}

const inFlight = async (): Promise<[number, number]> => [
  await receiver.metric('spor_ingest_in_flight_requests'),
  await receiver.metric('spor_ingest_in_flight_bytes'),
];

describe('a sender who goes away', () => {
  it('in the middle of its body leaves nothing behind', async () => {
    const part = Buffer.alloc(100_000, ' ');
    const whole = await Promise.all(Array.from({ length: 10 }, () => sendPart('Content-Length: 200000', part)));
    const chunked = await sendPart('Transfer-Encoding: chunked', '5\r\n{"eve\r\n');
    await until(async () => {
      const [requests, bytes] = await inFlight();
      return requests === 11 && bytes === 1_000_005;
    });
    for (const socket of [...whole, chunked]) socket.destroy();
    await until(async () => (await inFlight()).join() === '0,0');
    expect(await receiver.metric('spor_ingest_requests_total{code="aborted"')).toBe(11);
    expect((await receiver.post({ instrumentationKey: key, events: [anEvent()] })).status).toBe(202);
  });

  it('before the answer has its events stored all the same', async () => {
    const event = anEvent();
    const body = JSON.stringify({ instrumentationKey: key, events: [event] });
    await nats.kill('SIGSTOP');
    const socket = await sendPart(`Content-Length: ${body.length}`, body);
    await until(async () => (await inFlight())[1] > 0);
    socket.destroy();
    await until(async () => (await inFlight())[0] === 0);
    await nats.kill('SIGCONT');
    await until(async () => (await inFlight())[1] === 0);
    const ids = (await receiver.stored()).flatMap(({ events }) => events.map(({ eventId }) => eventId));
    expect(ids).toContain(event.eventId);
  });
});

describe('a body in many pieces', () => {
  it('takes as much memory as its bytes, however small they are', async () => {
    const pieces = 200_000;
    await sendPart('Transfer-Encoding: chunked', '1\r\n \r\n'); // what runs once
    const before = process.memoryUsage();
    await sendPart('Transfer-Encoding: chunked', '1\r\n \r\n'.repeat(pieces));
    await until(async () => (await inFlight())[1] === pieces + 1);
    const after = process.memoryUsage();
    const taken = after.heapUsed + after.external - before.heapUsed - before.external;
    expect(taken).toBeLessThan(20_000_000);
  });
});

describe('over its byte budget', () => {
  it('a receiver refuses with 503 and Retry-After, holds no more than the budget, and recovers', async () => {
    await nats.kill('SIGSTOP');
    const post = (): Promise<Response> => {
      const events = Array.from({ length: 10 }, () => anEvent('Search', { properties: { fill: 'x'.repeat(20_000) } }));
      return receiver.post({ instrumentationKey: key, events });
    };
    const responses: Response[] = [];
    const posts = Array.from({ length: 30 }, () => post().then((response) => responses.push(response)));
    await until(() => responses.length >= 15);
    for (const response of responses) {
      expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
      expect(await response.json()).toMatchObject({ code: 'overloaded' });
    }
    const [, bytes] = await inFlight();
    expect(bytes).toBeGreaterThan(1_500_000);
    expect(bytes).toBeLessThanOrEqual(2_097_152);
    const refused = responses.length;
    await nats.kill('SIGCONT');
    await Promise.all(posts);
    expect(responses.slice(refused).map(({ status }) => status)).toEqual(responses.slice(refused).map(() => 202));
    expect((await post()).status).toBe(202);
    expect((await inFlight())[1]).toBe(0);
  });

  it('is not where senders get it who announce much and send little', async () => {
    await Promise.all(Array.from({ length: 100 }, () => sendPart('Content-Length: 524288', '{"eve')));
    await until(async () => (await inFlight())[0] === 100);
    expect((await inFlight())[1]).toBe(500);
    expect((await receiver.post({ instrumentationKey: key, events: [anEvent()] })).status).toBe(202);
  });
});
