import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RejectedEvent } from '../../schemas/envelope.ts';
import type { RedriveReport } from '../../cli/redrive/redrive.ts';
import { anEvent, messageOf, uuid7, type TestEvent } from '../support/messages.ts';
import { startTestPipeline, type TestPipeline, type TestProcessor } from '../support/testPipeline.ts';
import { runSpor, type Finished } from '../support/runScript.ts';
import { DAY_MS, utcDay } from '../../runtime/units.ts';

const WEEKS_AGO = new Date(Date.now() - 20 * DAY_MS);

let bench: TestPipeline;
let processor: TestProcessor;

beforeAll(async () => {
  bench = await startTestPipeline();
  processor = await bench.processor();
});
afterAll(() => bench?.stop());

/** As a receiver refuses an event: whole, with the verdict. */
function refused(index: number | null, event: unknown, code: string, path = ''): RejectedEvent {
  const { eventId, type } = (event ?? {}) as Partial<TestEvent>;
  const raw = typeof event === 'string' ? event : JSON.stringify(event);
  return { index, code, path, message: 'refused', raw, ...(eventId ? { eventId } : {}), ...(type ? { type } : {}) };
}

async function quarantine(tenant: string, rejected: RejectedEvent[], receivedAt = new Date()): Promise<void> {
  await bench.publish(messageOf(tenant, 'web', [{ events: [], rejected, receivedAt }]));
  await bench.settled();
}

function spor(...args: string[]): Promise<Finished> {
  return runSpor(['quarantine', ...args], {
    env: { NATS_URL: bench.nats.url, LAKE_URL: `file:${bench.lakeDir}` },
  });
}

async function redrive(tenant: string, ...args: string[]): Promise<RedriveReport> {
  const { code, stdout, stderr } = await spor('redrive', '--tenant', tenant, ...args, '--json');
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as RedriveReport;
}

const NONE = { redriven: 0, published: 0, acceptable: 0, redrivenBefore: 0, storedAlready: 0, refused: 0, skipped: 0 };

describe('spor quarantine', () => {
  it('mends events with a patch, which come into the lake with the times of their first receipt', async () => {
    const { phrase, ...rest } = anEvent(0, WEEKS_AGO);
    const mendable = { ...rest, pharse: phrase };
    const hopeless = { ...anEvent(3, WEEKS_AGO), resultsCount: 'many' };
    await quarantine(
      'patched',
      [refused(4, mendable, 'field_unknown', '/pharse'), refused(7, hopeless, 'field_type', '/resultsCount')],
      WEEKS_AGO,
    );
    const fix = ['--fix', '[{"op":"move","from":"/pharse","path":"/phrase"}]'];
    const dry = await redrive('patched', ...fix, '--dry-run');
    expect(dry.counts).toEqual({ ...NONE, acceptable: 1, skipped: 1 });
    expect(dry.events.find(({ outcome }) => outcome === 'skipped')?.message).toContain('patch does not apply');
    expect(await bench.rows('events', 'patched')).toEqual([]);

    expect((await redrive('patched', ...fix)).counts).toEqual({ ...NONE, redriven: 1, skipped: 1 });
    const [origin] = await bench.rows('quarantine', 'patched', 'DISTINCT receipt_id', 'receipt_id');
    const day = WEEKS_AGO.toISOString().slice(0, 10);
    expect(await bench.rows('events', 'patched')).toMatchObject([
      {
        event_id: mendable.eventId,
        phrase,
        date: day,
        receipt_index: 4,
        redriven_from: origin!.receipt_id,
        received_at: WEEKS_AGO.toISOString()
          .replace('T', ' ')
          .replace('Z', '+00')
          .replace(/0+\+/, '+')
          .replace('.+', '+'),
        user_agent: 'test/1.0',
      },
    ]);

    expect((await redrive('patched', ...fix)).counts).toEqual({ ...NONE, redrivenBefore: 1, skipped: 1 });
    expect(await bench.rows('events', 'patched')).toHaveLength(1);
    const listed = JSON.parse((await spor('list', '--tenant', 'patched', '--json')).stdout) as {
      events: { index: number; state: string }[];
    };
    expect(new Map(listed.events.map(({ index, state }) => [index, state]))).toEqual(
      new Map([
        [4, 'redriven'],
        [7, 'refused'],
      ]),
    );
    const table = await spor('list', '--tenant', 'patched', '--code', 'field_type');
    expect(table.stdout).toMatch(/field_type +\/resultsCount +Search/);
    const shown = await spor('show', '--tenant', 'patched', '--event', String(hopeless.eventId));
    expect(shown.stdout).toContain('"resultsCount": "many"');
    // Counted on the day of the first receipt: two refused events, and one accepted.
    const reconciled = await runSpor(['reconcile', '--tenant', 'patched', '--date', day, '--json'], {
      env: { NATS_URL: bench.nats.url, LAKE_URL: `file:${bench.lakeDir}` },
    });
    expect(JSON.parse(reconciled.stdout)).toMatchObject({
      balanced: true,
      days: [{ accepted: 1, stored: 1, difference: 0, refused: { refused: 2, kept: 2, difference: 0 } }],
    });
  });

  it('stores an event once, however often, by however many and over whatever restarts it is redriven', async () => {
    const events = Array.from({ length: 60 }, (_, index) => ({
      ...anEvent(index),
      eventId: crypto.randomUUID(),
      more: 1,
    }));
    const old = events.slice(0, 30).map((event) => ({ ...event, timestamp: WEEKS_AGO.toISOString() }));
    await quarantine(
      'often',
      old.map((event, index) => refused(index, event, 'field_unknown', '/more')),
      WEEKS_AGO,
    );
    await quarantine(
      'often',
      events.slice(30).map((event, index) => refused(index, event, 'field_unknown', '/more')),
    );
    const patch = ['--fix', '[{"op":"remove","path":"/more"}]'];
    const inSql = ['--fix', 'json_merge_patch(raw, \'{"more":null}\') -- mended'];
    // Of different sizes, so that their messages differ and the stream cannot know them to be the same.
    const reports = await Promise.all([
      redrive('often', ...patch),
      redrive('often', ...inSql, '--limit', '25'),
      redrive('often', ...patch, '--limit', '45'),
    ]);
    for (const { counts } of reports) expect(counts.refused + counts.skipped + counts.published).toBe(0);
    expect(await bench.rows('events', 'often')).toHaveLength(60);

    // A message made by hand and published again weeks later, past every memory but the lake's.
    const again = messageOf('often', 'web', [
      { events: old.map(({ more: _more, ...event }) => event), receivedAt: WEEKS_AGO },
    ]);
    const [header, ...lines] = again.payload.toString().split('\n');
    const marked = JSON.parse(header!) as { batches: Record<string, unknown>[] };
    marked.batches[0]!.redrivenFrom = 'mgq3x0ab-2-1z-0';
    await processor.kill('SIGKILL');
    processor = await bench.processor();
    await bench.publish({ ...again, payload: Buffer.from([JSON.stringify(marked), ...lines].join('\n')) });
    await bench.settled();
    expect(await bench.rows('events', 'often')).toHaveLength(60);
  });

  it('keeps the rules of ingest: age, ids, and fixes that would make another event', async () => {
    const tooOld = { ...anEvent(0, new Date(Date.now() - 40 * DAY_MS)) };
    const noId = { ...anEvent(1), eventId: 'order-1' };
    await quarantine('ruled', [refused(0, tooOld, 'timestamp_too_old'), refused(1, noId, 'field_format', '/eventId')]);
    const plain = await redrive('ruled');
    expect(plain.counts).toEqual({ ...NONE, refused: 2 });
    expect(new Set(plain.events.map(({ refusedWith }) => refusedWith))).toEqual(
      new Set(['field_format', 'timestamp_too_old']),
    );
    const makesIds = await redrive('ruled', '--fix', `[{"op":"replace","path":"/eventId","value":"${uuid7()}"}]`);
    expect(makesIds.counts).toEqual({ ...NONE, skipped: 2 });
    const random = await spor(
      'redrive',
      '--tenant',
      'ruled',
      '--fix',
      "json_merge_patch(raw, json_object('eventId', uuid()))",
    );
    expect([random.code, random.stderr]).toEqual([1, expect.stringContaining('volatile') as string]);
    expect((await redrive('ruled', '--accept-old', '--new-ids')).counts).toEqual({ ...NONE, redriven: 2 });
    const ids = await bench.rows('events', 'ruled', 'event_id', 'event_id');
    expect(ids.map(({ event_id: id }) => id)).toContain(tooOld.eventId);
    expect((await redrive('ruled', '--accept-old', '--new-ids')).counts).toEqual({ ...NONE, redrivenBefore: 2 });
  });

  it('redrives the events of a whole body, and says of the rest why it cannot', async () => {
    const body = { sendAt: 'now', events: [anEvent(0), { ...anEvent(1), eventId: 7 }] };
    const { headers, ...message } = messageOf('bodies', 'web', [{ events: [anEvent(2)] }]);
    await quarantine('bodies', [refused(null, body, 'body_invalid')]);
    await quarantine('bodies', [refused(null, '{"events": [', 'body_not_json')]);
    headers.delete('Spor-Format');
    await bench.publish({ ...message, headers });
    await bench.settled();
    const { counts, events } = await redrive('bodies', '--fix', '[{"op":"remove","path":"/sendAt"}]');
    expect(counts).toEqual({ ...NONE, redriven: 1, refused: 1, skipped: 2 });
    const messages = events.map((event) => event.message ?? '').join('\n');
    expect(messages).toMatch(/raw text is not JSON/);
    expect(messages).toMatch(/send its events again with a key/);
    expect(await bench.rows('events', 'bodies')).toHaveLength(1);
    const nobody = await spor('redrive', '--tenant', 'spor-unattributed');
    expect([nobody.code, nobody.stderr]).toEqual([2, expect.stringContaining('without a tenant') as string]);
  });

  it('brings in nobody who is erased, and what it brings in adds up', async () => {
    const [theirs, anothers, nobodys] = ['customer-4711-x', 'customer-9', 'customer-0'].map((userId, at) => ({
      ...anEvent(at),
      userId,
      more: 1,
    }));
    const written = JSON.stringify(theirs).replace('customer-4711', String.raw`customer\u002d4711`);
    const stored = [anEvent(3, undefined, { userId: 'customer-4711-x' }), anEvent(4)];
    const rejected = [
      refused(2, written, 'field_unknown', '/more'),
      refused(3, anothers, 'field_unknown', '/more'),
      refused(4, nobodys, 'field_range', '/more'),
    ];
    await bench.publish(messageOf('erased', 'web', [{ events: stored, rejected }]));
    await bench.settled();
    const env = { NATS_URL: bench.nats.url, LAKE_URL: `file:${bench.lakeDir}` };
    const erased = await runSpor(['erase', '--tenant', 'erased', '--user', 'customer-4711-x'], {
      env,
    });
    expect(erased.code, erased.stderr).toBe(0);
    const remove = '{"op":"remove","path":"/more"}';
    const { counts } = await redrive('erased', '--code', 'field_unknown', '--fix', `[${remove}]`);
    expect(counts).toEqual({ ...NONE, redriven: 1 });
    const become = `[${remove},{"op":"replace","path":"/userId","value":"customer-4711-x"}]`;
    expect((await redrive('erased', '--code', 'field_range', '--fix', become)).counts).toEqual({
      ...NONE,
      published: 1,
    });
    const rows = await bench.rows('events', 'erased', 'event_id, redriven_from', 'event_id');
    expect(new Set(rows.map(({ event_id: id }) => id))).toEqual(new Set([stored[1]!.eventId, anothers!.eventId]));
    expect(rows).toHaveLength(2);
    const { code, stdout } = await runSpor(
      ['reconcile', '--tenant', 'erased', '--date', utcDay(Date.now()), '--json'],
      { env },
    );
    expect(code, stdout.slice(0, 2_000)).toBe(0);
  });

  it('refuses a fix that is none', async () => {
    const wrong: [string, RegExp][] = [
      ['{"op":"remove"}', /a JSON Patch \(RFC 6902\) is a list/],
      ['[{"op":"delete","path":"/x"}]', /"delete"; use one of add/],
      ['[{"op":"add","path":"/x"}]', /has no "value"/],
      ['[{"op":"remove","path":"x"}]', /JSON pointer/],
      ['[nonsense', /not JSON/],
    ];
    for (const [fix, message] of wrong) {
      const { code, stderr } = await spor('redrive', '--tenant', 'ruled', '--fix', fix);
      expect([code, stderr]).toEqual([2, expect.stringMatching(message) as string]);
    }
    const escape = await spor(
      'redrive',
      '--tenant',
      'ruled',
      '--fix',
      "(SELECT content FROM read_text('/etc/hostname'))",
    );
    expect([escape.code, escape.stderr]).toEqual([1, expect.stringMatching(/read_text/) as string]);
  });
});
