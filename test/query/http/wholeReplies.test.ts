import { once } from 'node:events';
import { mkdtemp, rm, truncate } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { acceptedCoding } from '../../../query/http/compression.ts';
import type { Reply } from '../../../query/http/route.ts';
import { answerReply } from '../../../query/http/routes/answerReply.ts';
import { startQueryServer, type QueryServer } from '../../../query/http/server.ts';
import { QueryMetrics } from '../../../query/http/metrics.ts';
import { FORMATS, type AnswerFormat } from '../../../query/formats/formats.ts';
import { createTableCache } from '../../../lake/layout/tableCache.ts';
import { lakeFolderFiles } from '../../../lake/files/localFiles.ts';
import { openQueries, type Queries } from '../../../query/engine/query.ts';
import { createSlots } from '../../../query/engine/slots.ts';
import { createPendingAnswers } from '../../../query/engine/pendingAnswers.ts';
import { WorkerPool } from '../../../query/sandbox/worker/pool.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import { createLog } from '../../../runtime/log.ts';
import { REGISTRY } from '../../support/lakeFixture.ts';

const NAMES = Object.keys(FORMATS) as AnswerFormat[];
const LIMITS = { memoryMb: 256, threads: 1, timeoutMs: 2_000, maxRows: 1_000_000_000, maxBytes: 4_000_000_000 };
/** Rows are wide, so that the first leave before DuckDB has made the last. */
const FAILING = `select i, repeat('abc', 40) p, (case when i = 40000 then 'x' else '1' end)::int a from range(60000) t(i)`;
const ENDLESS = `select i, repeat('abc', 40) p from range(1000000000) t(i)`;

let dir: string;
let queries: Queries;
let server: QueryServer;
/** What befalls the file of an answer before it is sent. */
let befalls: (file: string) => Promise<void> = async () => undefined;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-replies-'));
  const storage = await openLocalStorage(join(dir, 'lake'));
  const log = createLog('test', 'silent');
  queries = await openQueries({
    storage,
    tables: createTableCache(storage, REGISTRY),
    registry: REGISTRY,
    localFiles: lakeFolderFiles(storage),
    limits: LIMITS,
    executor: await WorkerPool.start(log),
  });
  const slots = createSlots({ concurrent: 2, queued: 30 });
  const answering = {
    queries: {
      ...queries,
      answer: async (request: Parameters<Queries['answer']>[0]) => {
        const answer = await queries.answer(request);
        await befalls(answer.file);
        return answer;
      },
    },
    slots,
    unsent: createPendingAnswers({ perToken: 8, perTenant: 8, total: 8 }),
  };
  server = await startQueryServer({
    host: '127.0.0.1',
    port: 0,
    metrics: new QueryMetrics(new Registry(), slots),
    log,
    tokens: () => undefined,
    isKnownTenant: () => Promise.resolve(true),
    routes: [
      {
        method: 'GET',
        path: '/ask',
        access: 'open',
        handle: ({ query, signal }): Promise<Reply> => {
          const maxRows = query.get('maxRows');
          return answerReply(answering, {
            tenantId: 'shop',
            tokenId: 'token',
            segmentIds: [],
            sql: query.get('sql')!,
            format: query.get('format') as AnswerFormat,
            ...(maxRows === null ? {} : { maxRows: Number(maxRows) }),
            signal,
          });
        },
      },
    ],
  });
});

afterAll(async () => {
  await server?.close(1_000);
  await queries?.close();
  await rm(dir, { recursive: true, force: true });
});

function address(fields: Record<string, string>): string {
  return `http://127.0.0.1:${server.port}/ask?${new URLSearchParams(fields).toString()}`;
}

/** Reads an answer to its end by the bytes of its connection. */
async function read(url: string, coding?: string): Promise<{ announced: number; received: number; complete: boolean }> {
  const call = httpRequest(url, { agent: false, headers: coding === undefined ? {} : { 'accept-encoding': coding } });
  call.end();
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  let received = 0;
  response.on('data', (chunk: Buffer) => (received += chunk.length));
  response.on('error', () => undefined); // it was cut off: `complete` tells
  await new Promise((resolve) => response.once('close', resolve));
  return { announced: Number(response.headers['content-length']), received, complete: response.complete };
}

describe.each(NAMES)('a reply in %s', (format) => {
  test('is the error of a statement that fails after its first rows', async () => {
    const response = await fetch(address({ sql: FAILING, format }));
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'sql_failed', message: expect.stringMatching(/^Conversion/) });
  });

  test('is query_timeout for a statement that runs out of time while it streams', async () => {
    const response = await fetch(address({ sql: ENDLESS, format }));
    expect(response.status).toBe(408);
    expect(await response.json()).toMatchObject({ code: 'query_timeout' });
  });

  test('says before its first row that a limit cut it', async () => {
    const sql = 'select i from range(5000) t(i)';
    const cut = await fetch(address({ sql, format, maxRows: '3000' }));
    expect([cut.headers.get('spor-truncated'), cut.headers.get('spor-rows')]).toEqual(['true', '3000']);
    const front = format === 'json' ? '{"truncated":true,"columns":' : '';
    expect((await cut.text()).slice(0, front.length)).toBe(front);
    const whole = await fetch(address({ sql, format, maxRows: '5000' }));
    expect([whole.headers.get('spor-truncated'), whole.headers.get('spor-rows')]).toEqual(['false', '5000']);
    await whole.arrayBuffer();
  });

  test('breaks its connection where its file cannot be read to the end', async () => {
    const url = address({ sql: 'select i, hash(i)::varchar h from range(20000) t(i)', format });
    const whole = await read(url);
    expect(whole).toEqual({ announced: whole.announced, received: whole.announced, complete: true });
    befalls = (file) => truncate(file, 100_000);
    try {
      const broken = await read(url);
      expect(broken.complete).toBe(false);
      expect(broken.received).toBeLessThan(broken.announced);
    } finally {
      befalls = async () => undefined;
    }
  });
});

describe('a reply to a caller who takes codings', () => {
  const DECODERS = { gzip: gunzipSync, br: brotliDecompressSync, zstd: zstdDecompressSync };
  const sql = 'select i, hash(i)::varchar h from range(20000) t(i) order by i';

  async function bytes(url: string, headers: Record<string, string>): Promise<[IncomingMessage, Buffer]> {
    const call = httpRequest(url, { agent: false, headers }).end();
    const [response] = (await once(call, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
    return [response, Buffer.concat(chunks)];
  }

  test.each(['csv', 'ndjson', 'arrow'] as const)('is compressed as asked, and the same: %s', async (format) => {
    const [, plain] = await bytes(address({ sql, format }), {});
    for (const [coding, decode] of Object.entries(DECODERS)) {
      const [{ headers }, body] = await bytes(address({ sql, format }), { 'accept-encoding': coding });
      expect([headers['content-encoding'], headers.vary, headers['spor-rows']]).toEqual([
        coding,
        'accept-encoding',
        '20000',
      ]);
      expect(headers['content-length']).toBeUndefined();
      expect(body.length).toBeLessThan(plain.length * 0.8);
      expect(decode(body).equals(plain)).toBe(true);
    }
  });

  test('is as it is where compressing gains nothing', async () => {
    const took = { 'accept-encoding': 'gzip, br, zstd' };
    const [parquet] = await bytes(address({ sql, format: 'parquet' }), took);
    expect(parquet.headers['content-encoding']).toBeUndefined();
    expect(Number(parquet.headers['content-length'])).toBeGreaterThan(1_000);
    const [small] = await bytes(address({ sql: 'select 1', format: 'json' }), took);
    expect([small.headers['content-encoding'], small.headers['content-length']]).toEqual([
      undefined,
      expect.any(String),
    ]);
  });

  test('breaks its connection where its file cannot be read to the end', async () => {
    befalls = (file) => truncate(file, 100_000);
    try {
      for (const coding of Object.keys(DECODERS))
        // With little to compress, not even the head has left.
        expect(
          await read(address({ sql, format: 'csv' }), coding).then(
            ({ complete }) => complete,
            ({ code }: { code: string }) => code,
          ),
          coding,
        ).toSatisfy((outcome) => outcome === false || outcome === 'ECONNRESET');
    } finally {
      befalls = async () => undefined;
    }
  });

  test.each([
    ['gzip, deflate, br, zstd', 'zstd'],
    ['gzip, deflate, br', 'br'],
    ['gzip, deflate', 'gzip'],
    ['x-gzip', 'gzip'],
    ['GZIP;Q=0.5 , br ; q=0.1', 'gzip'],
    ['*', 'zstd'],
    ['*;q=0.1, gzip', 'gzip'],
    ['zstd;q=0, *', 'br'],
    ['gzip;q=0', undefined],
    ['gzip;q=1.5', undefined],
    ['gzip;q=nonsense', undefined],
    ['identity, gzip;q=0.5', undefined],
    ['identity;q=0, gzip', 'gzip'],
    ['deflate, compress', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('has the coding that it likes best: %s', (header, coding) => {
    expect(acceptedCoding(header)).toBe(coding);
  });
});

test('as many queries of one token wait as may wait, and none of them is turned away', async () => {
  const asked = Array.from({ length: 25 }, () => fetch(address({ sql: 'select 42', format: 'json' })));
  const statuses = await Promise.all(asked.map(async (answer) => (await answer).status));
  expect(statuses).toEqual(statuses.map(() => 200));
});
