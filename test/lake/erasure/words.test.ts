import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { quotedTexts, withoutErased } from '../../../cli/replay/leaveOut.ts';
import { openDuckdb } from '../../../lake/duckdb/duckdb.ts';
import type { SqlSession } from '../../../lake/duckdb/sqlEngine.ts';
import { literal } from '../../../lake/duckdb/sqlText.ts';
import { hashOf, type ErasureList } from '../../../lake/erasure/list.ts';
import { hasWord, rejectedErased, selectErasedWords, selectWords } from '../../../lake/erasure/suppress.ts';

const engine = openDuckdb({ memory: '512MiB', threads: 1, spillDir: '' });
let session: SqlSession;
beforeAll(() => {
  session = engine.session();
});
afterAll(async () => {
  await session.close();
  await engine.close();
});

const TENANT = 'shop';
const ERASED = ['customer-4711', 'søren@shop.example', '4711', 'say "hi"'];
const LIST: ErasureList = {
  version: 1,
  ids: [...ERASED, ...Array.from({ length: 3_000 }, (_, index) => `other-${index}`)].map((id) => ({
    kind: 'user',
    hash: hashOf(TENANT, id),
  })),
};

/** Makes the tables that a flush has of rejected events: those of two tenants. */
async function tablesOf(raws: readonly string[]): Promise<void> {
  await session.run(
    `CREATE OR REPLACE TEMP TABLE batch AS FROM (VALUES (0, '${TENANT}'), (1, 'other')) t(batch_number, tenant_id)`,
  );
  await session.run('CREATE OR REPLACE TEMP TABLE line(batch_number INTEGER, raw VARCHAR)');
  const rows = [...raws.map((raw) => `(0, ${literal(raw)})`), `(1, '"of another tenant"')`];
  await session.run(`INSERT INTO line VALUES ${rows.join(', ')}`);
}

async function column(query: string): Promise<unknown[]> {
  return (await session.run(query)).map((row) => Object.values(row)[0]);
}

test('each word of refused events is hashed once, and the right events are found', async () => {
  const event = (phrase: unknown): string =>
    JSON.stringify({ type: 'Search', phrase, sessionId: 's', context: { url: 'https://shop.example/' } });
  const named = [
    event('customer-4711'),
    '{"userId": 4711',
    JSON.stringify({ userId: 'say "hi"' }),
    '{"a":"x","userId":"s\\u00f8ren@shop.example"}',
  ];
  const raws = [...Array.from({ length: 2_000 }, () => event(17)), ...named, event('customer-47110'), ''];
  await tablesOf(raws);
  const words = await column(selectWords(TENANT));
  expect(new Set(words).size).toBe(words.length);
  expect(words.length).toBeLessThan(60); // 2,000 events have 50,000
  expect(words).not.toContain('of another tenant');
  const erased = (await column(selectErasedWords(TENANT, LIST))).map(String);
  expect(erased.toSorted()).toEqual(['4711', 'customer-4711', 'say "hi"', 'søren@shop.example']);
  const found = await column(`SELECT raw FROM line WHERE batch_number = 0 AND ${hasWord(erased)} ORDER BY rowid`);
  expect(found).toEqual(named);
  // The condition of an erasure, event by event, agrees.
  expect(
    await column(`SELECT raw FROM line WHERE batch_number = 0 AND ${rejectedErased(TENANT, LIST)} ORDER BY rowid`),
  ).toEqual(named);
});

/** Short texts of the characters that the expression tells apart. */
const aText = fc.string({ unit: fc.constantFrom('"', '\\', '\n', 'a', ' ', ':', '{', '}', 'ø'), maxLength: 24 });

test('the quoted texts of a replay are those of the expression, in one pass', async () => {
  const expression = /"((?:[^"\\]|\\[^\n])*)"/g;
  fc.assert(
    fc.property(aText, (raw) => {
      expect(quotedTexts(raw)).toEqual([...raw.matchAll(expression)].map((match) => match[1]));
    }),
    { numRuns: 5_000, seed: 17 },
  );
  const texts = fc.sample(aText, { numRuns: 300, seed: 18 }).filter((text) => text.length > 0);
  await tablesOf(texts);
  const words = await column(
    `SELECT regexp_extract_all(raw, ${literal(String.raw`"((?:[^"\\]|\\.)*)"`)}, 1) FROM line WHERE batch_number = 0 ORDER BY rowid`,
  );
  expect(words).toEqual(texts.map(quotedTexts));
});

test('a hostile rejected event ends, however often its quotes and escapes could be read anew', () => {
  for (const unit of ['\\"', '"\\', '"\\\n', '"', '\\']) {
    const raw = unit.repeat(1_000_000 / unit.length);
    const rejected = [{ index: 0, code: 'field_type', path: '', message: '', raw }];
    const header = {
      batches: [{ receivedAt: '2026-11-23T00:00:00.000Z', skewMs: 0, keyId: 'k', accepted: 0, rejected }],
    };
    const data = Buffer.from(`${JSON.stringify(header)}\n`);
    expect(withoutErased(data, { tenantId: TENANT, segmentId: 'web' }, LIST)).toEqual({ data, events: 0, leftOut: 0 });
  }
});
