import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { republish, type RepublishReport } from '../../cli/replay/republish.ts';
import { readMessageHeader } from '../../schemas/envelope.ts';
import { addErasures } from '../../lake/erasure/list.ts';
import { erasedIds } from '../../lake/erasure/person.ts';
import { anEvent, messageOf } from '../support/messages.ts';
import { startTestPipeline, type TestPipeline } from '../support/testPipeline.ts';
import { until } from '../support/until.ts';
import { runSpor, type Finished } from '../support/runScript.ts';
import { utcDay } from '../../runtime/units.ts';

const TENANT = 'downstream';
const TODAY = utcDay(Date.now());
const MESSAGES = 12;

let bench: TestPipeline;
const sent: string[] = [];

beforeAll(async () => {
  bench = await startTestPipeline();
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
  return runSpor(['replay', ...range, ...args], {
    env: { NATS_URL: bench.nats.url, LAKE_URL: `file:${bench.lakeDir}` },
  });
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
  const { connection, storage } = bench;
  const range = { tenantId: TENANT, from: TODAY, to: TODAY, subject: 'shop.events', restart: false };
  return republish({ connection, storage, replicas: 1, ...range, ...over });
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

  it('leaves out erased people, whatever names them, and counts what is left', async () => {
    const person = { userId: 'customer-4711-x', anonymousId: 'visitor-of-4711' };
    const shared = { userId: 'customer-9', anonymousId: person.anonymousId };
    const events = [
      anEvent(0, undefined, person),
      anEvent(1, undefined, shared),
      anEvent(2, undefined, { anonymousId: person.anonymousId }),
    ];
    const raw = (id: string): string => `{"type": "Search", "userId": ${JSON.stringify(id)}`;
    const rejected = [person.userId, shared.userId].map((id, at) => ({
      index: 3 + at,
      code: 'body_not_json',
      path: '',
      message: 'refused',
      raw: raw(id),
    }));
    await bench.publish(messageOf(TENANT, 'web', [{ events: [events[0]!] }, { events, rejected }]));
    await bench.publish(messageOf(TENANT, 'web', [{ events: [events[0]!] }]));
    const ids = erasedIds(TENANT, { users: [person.userId], anonymous: [], linked: [person.anonymousId] });
    await addErasures(bench.storage, TENANT, ids);
    await bench.manager.streams.add({ name: 'ERASED', subjects: ['clean.>'] });
    const { code, stdout, stderr } = await spor('--to-subject', 'clean.events', '--rate', '100000', '--json');
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      messages: MESSAGES + 1,
      events: 2 * MESSAGES + 1,
      erased: 5,
      unreadable: 0,
      complete: true,
    });
    const { state } = await bench.manager.streams.info('ERASED');
    expect(state.messages).toBe(MESSAGES + 1);
    const last = (await bench.manager.streams.getMessage('ERASED', { seq: state.last_seq }))!;
    expect(last.header.get('Spor-Events')).toBe('1');
    const { header, linesFrom } = readMessageHeader(last.data);
    expect(header.batches.map(({ accepted }) => accepted)).toEqual([0, 1]);
    expect(header.batches[1]!.rejected).toEqual([rejected[1]]);
    expect(JSON.parse(Buffer.from(last.data.subarray(linesFrom)).toString())).toEqual({
      b: 1,
      i: 1,
      v: 1,
      ...events[1],
    });
    const told = await spor('--to-subject', 'clean.events', '--rate', '100000', '--restart');
    expect(told.stdout).toContain('5 events of erased people left out');
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
