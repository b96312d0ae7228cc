import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FairQueue } from '../../ingest/fairQueue.ts';
import { startNats, type TestNats } from '../support/nats.ts';
import { until } from '../support/until.ts';
import { anEvent, startReceiver, type Receiver } from './receiver.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

describe('tasks of tenants', () => {
  it('run at once while there is little work, and in turn when there is much', async () => {
    let nowMs = 0;
    const queue = new FairQueue(() => nowMs);
    const order: string[] = [];
    const run = (tenant: string, name: string, ms: number): void =>
      queue.run(tenant, () => {
        nowMs += ms;
        order.push(name);
      });
    for (const name of ['f1', 'f2', 'f3', 'f4', 'f5']) run('flood', name, 6);
    run('small', 's1', 0);
    run('other', 'o1', 0);
    run('small', 's2', 0);
    expect(order).toEqual(['f1', 'f2']);
    while (order.length < 8) await turn();
    expect(order).toEqual(['f1', 'f2', 'f3', 's1', 'o1', 'f4', 's2', 'f5']);
    run('flood', 'f6', 0);
    expect(order.at(-1)).toBe('f6');
  });

  it('leave sockets and timers their turn, however many wait', async () => {
    const queue = new FairQueue();
    let done = 0;
    const spin = (): void => {
      const until = performance.now() + 4;
      while (performance.now() < until);
      done++;
    };
    for (let i = 0; i < 30; i++) queue.run('flood', spin);
    await turn();
    expect(done).toBeLessThan(15);
    while (done < 30) await turn();
  });
});

describe('a receiver that one tenant floods', () => {
  let nats: TestNats;
  let receiver: Receiver;
  beforeAll(async () => {
    nats = await startNats();
    receiver = await startReceiver(nats.url);
  });
  afterAll(async () => {
    await receiver?.close();
    await nats?.stop();
  });

  it('answers another before most of the flood', async () => {
    const flooder = await receiver.createKey({ tenantId: 'flooder' });
    const small = await receiver.createKey({ tenantId: 'small-shop' });
    // Every name once: the slowest JSON there is to parse.
    const slow = gzipSync(JSON.stringify({ events: Array.from({ length: 900 }, (_, i) => names(i * 40)) }));
    const requests = Array.from({ length: 30 }, () => dryRun(flooder, slow));
    requests.push(dryRun(small, gzipSync(JSON.stringify({ events: [anEvent()] }))));
    const answered: number[] = [];
    const sockets = await Promise.all(requests.map(() => connected(receiver.port)));
    for (const [index, socket] of sockets.entries()) socket.once('data', () => answered.push(index));
    // All in one tick, so that the receiver finds them together.
    for (const [index, socket] of sockets.entries()) socket.write(requests[index]!);
    await until(() => answered.length === requests.length);
    for (const socket of sockets) socket.destroy();
    expect(answered.indexOf(30)).toBeLessThan(10);
  });
});

function names(from: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`b${from + i}`, i]));
}

/** A dry run, which is answered without the stream. */
function dryRun(key: string, body: Buffer): Buffer {
  const head = `POST /api/events?dryRun=1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nX-Instrumentation-Key: ${key}\r\nContent-Length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

async function connected(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}
