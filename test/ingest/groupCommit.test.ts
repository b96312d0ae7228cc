import { jetstreamManager } from '@nats-io/jetstream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ByteBudget } from '../../ingest/byteBudget.ts';
import { GroupCommit } from '../../ingest/stream/groupCommit.ts';
import type { Entry, PublishOutcome } from '../../ingest/stream/message.ts';
import type { Outgoing, Publisher } from '../../ingest/stream/publisher.ts';
import { ReceiverError } from '../../schemas/errors.ts';
import { readMessageHeader } from '../../schemas/envelope.ts';
import { shardOf, streamName } from '../../schemas/subjects.ts';
import { startNats, type TestNats } from '../support/nats.ts';
import { anEvent, startReceiver, type Receiver } from './receiver.ts';

/** A stream that acknowledges when told to, and keeps the order of what it got. */
class RecordingPublisher implements Publisher {
  readonly maxPayloadBytes = 1_000_000;
  readonly published: Outgoing[] = [];
  down: string | undefined;

  unavailable(): string | undefined {
    return this.down;
  }

  publish(messages: readonly Outgoing[]): void {
    this.published.push(...messages);
  }

  /** Batches of each message published, by the name in their header. */
  get batches(): string[][] {
    return this.published.map(({ payload }) => {
      const { header } = readMessageHeader(payload);
      return header.batches.map((batch) => batch.keyId);
    });
  }

  acknowledge(index: number, result: Parameters<Outgoing['done']>[0] = { epoch: 7, sequence: index + 1 }): void {
    this.published[index]!.done(result);
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

function setUp(options: { messageBytes?: number; budgetBytes?: number; shards?: number } = {}) {
  const publisher = new RecordingPublisher();
  const budget = new ByteBudget(options.budgetBytes ?? 10_000_000);
  let nowMs = 0;
  const commit = new GroupCommit({
    publisher,
    budget,
    shards: options.shards ?? 1,
    clock: () => nowMs,
    ...(options.messageBytes ? { messageBytes: options.messageBytes } : {}),
  });
  const outcomes: Record<string, PublishOutcome> = {};
  const submit = (name: string, fields: Partial<Entry> = {}): void =>
    commit.submit({
      shard: 0,
      subject: 'events.0.a.b',
      header: JSON.stringify({ receivedAt: '', skewMs: 0, keyId: name, accepted: 1 }),
      lineEnds: [`,"i":0,"v":1,"name":"${name}"}\n`],
      deadlineMs: nowMs + 5_000,
      settle: (outcome) => (outcomes[name] = outcome),
      ...fields,
    });
  return { publisher, budget, commit, outcomes, submit, pass: (ms: number) => (nowMs += ms) };
}

describe('group commit', () => {
  it('publishes at the end of the turn when nothing is in flight, then lets a message grow until the acknowledgement', async () => {
    const { publisher, submit, outcomes, budget, commit } = setUp();
    submit('a');
    submit('b');
    expect(publisher.published).toHaveLength(0);
    await turn();
    expect(publisher.batches).toEqual([['a', 'b']]);
    submit('c');
    await turn();
    submit('d');
    await turn();
    expect(publisher.batches).toEqual([['a', 'b']]);
    publisher.acknowledge(0);
    expect(outcomes).toEqual({ a: { epoch: 7, sequence: 1, batch: 0 }, b: { epoch: 7, sequence: 1, batch: 1 } });
    await turn();
    expect(publisher.batches).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ]);
    publisher.acknowledge(1);
    await commit.drained();
    expect(outcomes.d).toEqual({ epoch: 7, sequence: 2, batch: 1 });
    expect(budget.used).toBe(0);
    commit.close();
  });

  it('writes each line with the batch it belongs to, and says how many there are', async () => {
    const { publisher, submit, commit } = setUp();
    submit('a', { lineEnds: [',"i":0,"v":1,"x":"ø"}\n', ',"i":1,"v":1}\n'] });
    submit('none', { lineEnds: [] });
    submit('b');
    await turn();
    const [message] = publisher.published;
    expect(message!.events).toBe(3);
    expect(Buffer.from(message!.payload).toString().split('\n').slice(1)).toEqual([
      '{"b":0,"i":0,"v":1,"x":"ø"}',
      '{"b":0,"i":1,"v":1}',
      '{"b":2,"i":0,"v":1,"name":"b"}',
      '',
    ]);
    commit.close();
  });

  it('gives each subject its own message and each shard its own clock', async () => {
    const { publisher, submit, commit } = setUp({ shards: 2 });
    submit('a');
    submit('b', { subject: 'events.0.a.c' });
    submit('c', { shard: 1, subject: 'events.1.d.e' });
    await turn();
    expect(publisher.published.map(({ subject }) => subject)).toEqual(['events.0.a.b', 'events.0.a.c', 'events.1.d.e']);
    submit('d');
    submit('e', { shard: 1, subject: 'events.1.d.e' });
    publisher.acknowledge(2);
    await turn();
    expect(publisher.batches.at(-1)).toEqual(['e']);
    expect(publisher.published).toHaveLength(4);
    commit.close();
  });

  it('closes a message at its size, publishes full ones without waiting, and keeps their order', async () => {
    const line = `,"i":0,"v":1,"x":"${'x'.repeat(500)}"}\n`;
    const { publisher, submit, commit } = setUp({ messageBytes: 1_000 });
    for (const name of 'abcdefg') submit(name, { lineEnds: [line] });
    await turn();
    expect(publisher.batches).toEqual([['a'], ['b'], ['c'], ['d'], ['e'], ['f'], ['g']].map(([n]) => [n]));
    for (const { payload } of publisher.published) expect(payload.length).toBeLessThanOrEqual(1_000);
    for (const name of 'hij') submit(name, { lineEnds: [line] });
    await turn();
    // One more may overtake the clock; the newest still grows.
    expect(publisher.batches.slice(7)).toEqual([['h']]);
    commit.close();
  });

  it('publishes the message of a small tenant after few acknowledgements, however much another sends', async () => {
    const line = `,"i":0,"v":1,"x":"${'x'.repeat(500)}"}\n`;
    const { publisher, submit, commit } = setUp({ messageBytes: 1_000 });
    let flooded = 0;
    const flood = (batches: number): void => {
      for (let i = 0; i < batches; i++) submit(`flood${flooded++}`, { lineEnds: [line] });
    };
    flood(20);
    await turn();
    const inFlight = publisher.published.length;
    submit('small', { subject: 'events.0.small.web' });
    let acknowledged = 0;
    while (!publisher.batches.some(([name]) => name === 'small') && acknowledged < inFlight + 50) {
      flood(2);
      publisher.acknowledge(acknowledged++);
      await turn();
    }
    expect(acknowledged).toBeLessThanOrEqual(8);
    // Full messages of others are not behind all of the flood either.
    flood(30);
    for (const name of ['s1', 's2', 's3']) submit(name, { subject: 'events.0.small.web', lineEnds: [line] });
    const before = publisher.published.length;
    while (!publisher.batches.some(([name]) => name === 's2')) {
      publisher.acknowledge(acknowledged++);
      await turn();
    }
    const between = publisher.batches.slice(before).map(([name]) => name);
    expect(between.length).toBeLessThanOrEqual(inFlight);
    const flow = publisher.batches.flat().filter((name) => name.startsWith('flood'));
    expect(flow).toEqual(Array.from({ length: flow.length }, (_, index) => `flood${index}`));
    commit.close();
  });

  it('leaves room in its budget for others, whatever one tenant or the unknown senders hold', () => {
    const budget = new ByteBudget(1_000_000);
    const fill = (holder: string | undefined): void => {
      while (budget.take(1_000, holder));
    };
    fill('flood');
    expect(budget.used).toBe(888_000);
    expect(budget.take(50_000, 'small')).toBe(true);
    fill(undefined);
    fill('flood');
    expect(budget.take(10_000, 'another')).toBe(true);
    budget.release(888_000, 'flood');
    expect(budget.fits(400_000, 'small')).toBe(true);
    const unknown = new ByteBudget(1_000_000);
    while (unknown.take(1_000, undefined));
    expect(unknown.used).toBe(666_000);
    expect(unknown.take(250_000, 'shop')).toBe(true);
  });

  it('counts what it holds exactly, refuses what does not fit, and forgets nothing it took', async () => {
    const { publisher, submit, budget, commit, outcomes } = setUp({ budgetBytes: 300 });
    submit('a');
    const one = budget.used;
    submit('b');
    await turn();
    const payload = publisher.published[0]!.payload.length;
    expect(budget.used).toBe(payload - '{"batches":[]}\n'.length);
    expect(() => {
      for (let i = 0; i < 10; i++) submit(`more${i}`);
    }).toThrow(expect.objectContaining({ code: 'overloaded', retryAfterSeconds: 1 }) as ReceiverError);
    publisher.acknowledge(0);
    expect(budget.used).toBeLessThanOrEqual(300 - one);
    await turn();
    publisher.acknowledge(1);
    await commit.drained();
    expect(budget.used).toBe(0);
    expect(Object.keys(outcomes)).toContain('b');
    commit.close();
  });

  it('refuses at once while the stream cannot be written', () => {
    const { publisher, submit, commit } = setUp();
    publisher.down = 'gone fishing';
    expect(() => submit('a')).toThrow(expect.objectContaining({ code: 'stream_unavailable' }) as ReceiverError);
    expect(() => submit('a')).toThrow(/gone fishing/);
    expect(commit.waiting).toBe(0);
    commit.close();
  });

  it('refuses a batch that no message could hold', () => {
    const { submit, commit, budget } = setUp();
    const lineEnds = [`,"x":"${'x'.repeat(1_000_000)}"}\n`];
    expect(() => submit('a', { lineEnds })).toThrow(
      expect.objectContaining({ code: 'body_too_large' }) as ReceiverError,
    );
    expect(budget.used).toBe(0);
    commit.close();
  });

  it('ends a batch that could not be published in time, without publishing it later', async () => {
    const { publisher, submit, commit, outcomes, pass, budget } = setUp();
    submit('a');
    await turn();
    submit('late');
    pass(6_000);
    await expect.poll(() => outcomes.late).toEqual({ failed: 'the write was not confirmed in time' });
    publisher.acknowledge(0, { failed: 'the server says so' });
    await commit.drained();
    await turn();
    expect(publisher.batches).toEqual([['a']]);
    expect(outcomes.a).toEqual({ failed: 'the server says so' });
    expect(budget.used).toBe(0);
    commit.close();
  });
});

describe('over HTTP', () => {
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

  it('concurrent POSTs share messages, and each receipt leads to its own events', async () => {
    const keys = await Promise.all([
      receiver.createKey(),
      receiver.createKey({ segmentId: 'app' }),
      receiver.createKey({ tenantId: 'other-shop' }),
    ]);
    const posts = await Promise.all(
      Array.from({ length: 400 }, async (_, n) => {
        const events = Array.from({ length: 1 + (n % 3) }, () => anEvent('Search', { phrase: `phrase ${n}` }));
        const response = await receiver.post({ instrumentationKey: keys[n % 3], events });
        expect(response.status).toBe(202);
        return { n, events, ...((await response.json()) as { receiptId: string; accepted: number }) };
      }),
    );
    expect(new Set(posts.map(({ receiptId }) => receiptId)).size).toBe(400);
    for (const { n, events, receiptId, accepted } of posts) {
      const batch = await receiver.resolve(receiptId);
      expect(accepted).toBe(events.length);
      expect(batch.events).toEqual(events.map((event, i) => ({ i, v: 2, ...event })));
      expect(batch.subject).toMatch([/demo-shop\.web$/, /demo-shop\.app$/, /other-shop\.web$/][n % 3]!);
    }
    const stored = await receiver.stored();
    expect(stored).toHaveLength(400);
    const messages = new Set(stored.map(({ subject, sequence }) => `${subject} ${sequence}`)).size;
    expect(messages).toBeLessThan(200);
    expect(await receiver.metric('spor_ingest_message_batches_sum')).toBe(400);
    expect(await receiver.metric('spor_ingest_message_batches_count')).toBe(messages);
    expect(await receiver.metric('spor_ingest_in_flight_bytes')).toBe(0);
  });

  it('messages of many subjects go out as one atomic batch, each POST still with its own receipt', async () => {
    const segments = Array.from({ length: 40 }, (_, n) => `segment-${n}`);
    const keys = await Promise.all(segments.map((segmentId) => receiver.createKey({ segmentId, tenantId: 'many' })));
    const manager = await jetstreamManager(receiver.connection);
    const stream = streamName(shardOf('many', 4));
    for (let round = 0; round < 5; round++) {
      await Promise.all(
        keys.map(async (key, n) => {
          const event = anEvent('Search', { phrase: `${round} ${n}` });
          const response = await receiver.post({ instrumentationKey: key, events: [event] });
          const { receiptId } = (await response.json()) as { receiptId: string };
          const batch = await receiver.resolve(receiptId);
          expect(batch.events).toEqual([{ i: 0, v: 2, ...event }]);
          expect(batch.subject).toMatch(new RegExp(`\\.many\\.segment-${n}$`));
        }),
      );
    }
    const { state } = await manager.streams.info(stream);
    const batches = new Set<string>();
    for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
      const message = await manager.streams.getMessage(stream, { seq });
      if (message?.subject.includes('.many.')) batches.add(message.header.get('Nats-Batch-Id') || String(seq));
    }
    expect(batches.size).toBeLessThan(100);
  });
});
