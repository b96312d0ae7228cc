import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { republish, type RepublishReport } from '../../scripts/replay/republish.ts';
import { anEvent, messageOf } from '../processor/support/messages.ts';
import { startBench, type Bench } from '../processor/support/processor.ts';
import { until } from '../support/until.ts';
import { runScript, type Finished } from './spor.ts';

const TENANT = 'downstream';
const TODAY = new Date().toISOString().slice(0, 10);
const MESSAGES = 12;

let bench: Bench;
const sent: string[] = [];

beforeAll(async () => {
  bench = await startBench();
  for (let n = 0; n < MESSAGES; n++) {
    const message = messageOf(TENANT, 'web', [{ events: [anEvent(n), anEvent(n + 1)] }]);
    sent.push(message.payload.toString());
    await bench.publish(message);
    await bench.publish(messageOf('another', 'web', [{ events: [anEvent(n)] }]));
  }
  await bench.manager.streams.add({ name: 'DOWNSTREAM', subjects: ['shop.>'] });
});
afterAll(() => bench?.stop());

function spor(...args: string[]): Promise<Finished> {
  const range = ['--tenant', TENANT, '--from', TODAY, '--to', TODAY];
  return runScript('spor.mjs', ['replay', ...range, ...args], { env: { NATS_URL: bench.nats.url } });
}

async function arrived(): Promise<string[]> {
  const { state } = await bench.manager.streams.info('DOWNSTREAM');
  const found: string[] = [];
  for (let seq = 1; seq <= state.last_seq; seq++) {
    const message = await bench.manager.streams.getMessage('DOWNSTREAM', { seq });
    found.push(message!.string());
  }
  return found;
}

function run(over: { rate: number; signal: AbortSignal }): Promise<RepublishReport> {
  const { connection } = bench;
  const range = { tenantId: TENANT, from: TODAY, to: TODAY, subject: 'shop.events', restart: false };
  return republish({ connection, replicas: 1, ...range, ...over });
}

describe('spor replay --to-subject', () => {
  it('publishes a range once, in order, at a rate, and goes on where it was ended', async () => {
    const stopped = new AbortController();
    const startedAt = performance.now();
    const running = run({ rate: 20, signal: stopped.signal });
    await until(async () => (await bench.manager.streams.info('DOWNSTREAM')).state.messages >= 4);
    expect(performance.now() - startedAt).toBeGreaterThan(290); // three messages of two events at 20 a second
    stopped.abort();
    const first = await running;
    expect(first).toMatchObject({ complete: false });
    expect(first.messages).toBeLessThan(MESSAGES);

    const { code, stdout, stderr } = await spor('--to-subject', 'shop.events', '--rate', '100000', '--json');
    expect(code, stderr).toBe(0);
    const second = JSON.parse(stdout) as RepublishReport;
    expect(second).toMatchObject({ target: 'DOWNSTREAM', complete: true, messages: MESSAGES - first.messages });
    expect(await arrived()).toEqual(sent);

    const again = await spor('--to-subject', 'shop.events', '--rate', '100000', '--restart');
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('all of the range') as string]);
    expect(await arrived()).toEqual(sent); // their ids say that they are there already
  });

  it('refuses where it must', async () => {
    const wrong: [string[], number, RegExp][] = [
      [['--to-subject', 'nobody.listens', '--rate', '1'], 1, /no stream takes nobody.listens/],
      [['--to-subject', 'events.0.downstream.web', '--rate', '1'], 1, /from which processors write the lake/],
      [['--to-subject', 'shop.*', '--rate', '1'], 2, /is not a subject/],
      [['--to-subject', 'shop.events'], 2, /--rate is missing/],
    ];
    for (const [args, code, message] of wrong) {
      const refused = await spor(...args);
      expect([refused.code, refused.stderr]).toEqual([code, expect.stringMatching(message) as string]);
    }
  });
});
