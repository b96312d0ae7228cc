import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FairQueue } from '../../ingest/fairQueue.ts';
import { startNats, type TestNats } from '../support/nats.ts';
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
    const slow = JSON.stringify({
      events: Array.from({ length: 900 }, (_, i) => ({ [`a${i}`]: 1, ...names(i * 40) })),
    });
    let answered = 0;
    const flood = Array.from({ length: 40 }, async () => {
      const response = await receiver.post(slow, { headers: { 'x-instrumentation-key': flooder } });
      answered++;
      return response.status;
    });
    const other = await receiver.post({ events: [anEvent()] }, { headers: { 'x-instrumentation-key': small } });
    expect(other.status).toBe(202);
    expect(answered).toBeLessThan(20);
    expect(new Set(await Promise.all(flood))).toEqual(new Set([400]));
  });
});

function names(from: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`b${from + i}`, i]));
}
