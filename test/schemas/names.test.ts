import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readMessageHeader } from '../../schemas/envelope.ts';
import { keyId, newSecret, secretHash } from '../../schemas/keys.ts';
import { formatReceipt, parseReceipt, streamEpoch } from '../../schemas/receipt.ts';
import { formatSubject, isId, parseSubject, shardOf } from '../../schemas/subjects.ts';

describe('subjects', () => {
  it('are read back as written', () => {
    const subject = { kind: 'events' as const, shard: 3, tenantId: 'demo-shop', segmentId: 'web_1' };
    expect(formatSubject(subject)).toBe('events.3.demo-shop.web_1');
    expect(parseSubject('events.3.demo-shop.web_1')).toEqual(subject);
  });

  it.each([
    'events.0.a',
    'events.0.a.b.c',
    'orders.0.a.b',
    'events.x.a.b',
    'events.0.A.b',
    'events.0...',
    'events.0.*.b',
  ])('refuse %s', (subject) => expect(() => parseSubject(subject)).toThrow('is not <events|quarantine>'));

  it.each(['', '../x', 'a/b', 'a.b', 'A', '-a', 'a'.repeat(64), 'a b', 'æ', "a'"])('refuse the id %j', (id) => {
    expect(isId(id)).toBe(false);
  });

  it('spread tenants over shards, always the same way', () => {
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 4000; i++) counts[shardOf(`tenant-${i}`, 4)]!++;
    for (const count of counts) expect(count).toBeGreaterThan(800);
    // FNV-1a test vectors of the algorithm's authors: "a" → e40c292c, "foobar" → bf9cf968.
    expect(shardOf('a', 0x7fffffff)).toBe(0xe40c292c % 0x7fffffff);
    expect(shardOf('foobar', 0x7fffffff)).toBe(0xbf9cf968 % 0x7fffffff);
  });
});

describe('receipts', () => {
  it('are read back as written', () => {
    const part = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
    const counted = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(part, part, counted, part, (epoch, shard, sequence, batch) => {
        const receipt = { epoch, shard, sequence, batch };
        expect(parseReceipt(formatReceipt(receipt))).toEqual(receipt);
      }),
    );
  });

  it.each([
    '',
    'a-b-c',
    'a-b-c-d-e',
    'A-0-0-0',
    '../-0-0-0',
    'mgq3x0ab-2-0-0',
    'mgq3x0ab-2-00-0',
    'mgq3x0ab-2-01-0',
    'mgq3x0ab-02-1-0',
    'mgq3x0ab-2-1-',
    'mgq3x0ab--1-0',
    'mgq3x0ab-2-zzzzzzzzzzz-0',
    'zzzzzzzzzzz-2-1-0',
    ' mgq3x0ab-2-1-0',
    'mgq3x0ab-2-1-0\n',
    'mgq3x0ab-2-１-0',
  ])('refuse %j', (text) => {
    expect(parseReceipt(text)).toBeUndefined();
  });

  it('take their epoch from the stream creation time', () => {
    expect(streamEpoch('2026-11-23T10:00:00.999123456Z')).toBe(Date.UTC(2026, 10, 23, 10, 0, 0, 999));
  });
});

describe('secrets', () => {
  it('are unguessable, prefixed, and stored as hashes', () => {
    const secret = newSecret('ik');
    expect(secret).toMatch(/^ik_[A-Za-z0-9_-]{27}$/);
    expect(newSecret('ik')).not.toBe(secret);
    expect(secretHash('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    expect(keyId(secretHash('abc'))).toBe('ba7816bf8f01cfea');
  });
});

describe('message header', () => {
  it('is read without its event lines', () => {
    const header = { batches: [{ receivedAt: '2026-11-23T10:00:00.000Z', skewMs: 0, keyId: 'k', accepted: 1 }] };
    const payload = Buffer.from(`${JSON.stringify(header)}\n{"b":0,"i":0,"v":1,"eventId":"ø"}\n`);
    const read = readMessageHeader(payload);
    expect(read.header).toEqual(header);
    expect(payload.subarray(read.linesFrom).toString()).toBe('{"b":0,"i":0,"v":1,"eventId":"ø"}\n');
  });

  it('may stand alone, for a batch that was refused whole', () => {
    const payload = Buffer.from('{"batches":[]}');
    expect(readMessageHeader(payload)).toEqual({ header: { batches: [] }, linesFrom: payload.length });
  });

  it('is refused when it has no batches', () => {
    expect(() => readMessageHeader(Buffer.from('{"x":1}\n'))).toThrow('no batches');
  });
});
