import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openLocalStorage } from '../../lake/storage/local.ts';
import { simulatedEvents, stored } from '../query/insight/ledger.ts';
import { commitEvents } from '../query/marts/martLake.ts';
import { runSpor, type Finished } from '../support/runScript.ts';

const TENANT = 'demo-shop';
const PERIOD = ['--from', '2026-10-31', '--to', '2026-11-06'];

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-export-'));
  await commitEvents(await openLocalStorage(join(dir, 'lake')), stored(simulatedEvents(5)));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function spor(...args: string[]): Promise<Finished> {
  const env = { LAKE_URL: `file:${join(dir, 'lake')}`, SPOR_CACHE_DIR: join(dir, 'cache') };
  return runSpor(args, { env, cwd: dir });
}

async function exported(format: string, ...more: string[]): Promise<string> {
  const { code, stdout, stderr } = await spor('export', format, '--tenant', TENANT, ...PERIOD, ...more);
  expect(code, stderr).toBe(0);
  return stdout;
}

/** A CSV file without line breaks in its fields. */
function csv(text: string): string[][] {
  return text
    .trimEnd()
    .split('\r\n')
    .map((line) =>
      [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
        ([, quoted, bare]) => quoted?.replaceAll('""', '"') ?? bare!,
      ),
    );
}

const ajv = new Ajv2020({ allErrors: true, strict: false });
const text = (maxLength?: number): object => ({ type: 'string', minLength: 1, ...(maxLength ? { maxLength } : {}) });
const time = { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$' };

/** What a parser of each format takes, by its published schema or importer; nothing else may be in the file. */
const SCHEMAS = {
  opensearch: {
    required: ['name', 'description', 'type', 'judgmentRatings'],
    additionalProperties: false,
    properties: {
      name: text(50),
      description: text(250),
      type: { const: 'IMPORT_JUDGMENT' },
      judgmentRatings: {
        type: 'array',
        minItems: 1,
        items: {
          required: ['query', 'ratings'],
          additionalProperties: false,
          properties: {
            query: text(),
            ratings: {
              type: 'array',
              minItems: 1,
              items: {
                required: ['docId', 'rating'],
                additionalProperties: false,
                properties: { docId: text(), rating: { type: 'string', pattern: '^[0-3]\\.000$' } },
              },
            },
          },
        },
      },
    },
  },
  rre: {
    required: ['index', 'id_field', 'topics'],
    additionalProperties: false,
    properties: {
      index: text(),
      id_field: text(),
      topics: {
        type: 'array',
        items: {
          required: ['description', 'query_groups'],
          properties: {
            query_groups: {
              type: 'array',
              minItems: 1,
              items: {
                required: ['name', 'description', 'queries', 'relevant_documents'],
                properties: {
                  queries: {
                    type: 'array',
                    items: {
                      required: ['template', 'placeholders'],
                      properties: { placeholders: { required: ['$query'], properties: { $query: text() } } },
                    },
                  },
                  relevant_documents: {
                    type: 'object',
                    minProperties: 1,
                    additionalProperties: { required: ['gain'], properties: { gain: { enum: [1, 2, 3] } } },
                  },
                },
              },
            },
          },
        },
      },
    },
  },
  // The published oneOf of action_name, query_id and object_id_type is read as anyOf (docs/exports.md).
  'ubi-queries': {
    required: ['user_query', 'query_id', 'client_id', 'timestamp'],
    additionalProperties: false,
    properties: {
      application: text(100),
      query_id: text(100),
      client_id: text(100),
      user_query: { type: 'string' },
      query_attributes: { type: 'object' },
      timestamp: time,
      query_response_hit_ids: { type: 'array', items: { type: 'string' } },
    },
  },
  'ubi-events': {
    required: ['action_name', 'timestamp', 'query_id', 'event_attributes'],
    additionalProperties: false,
    properties: {
      application: text(100),
      action_name: { enum: ['click', 'add_to_cart', 'purchase', 'impression'] },
      query_id: text(100),
      session_id: text(100),
      client_id: text(100),
      timestamp: time,
      event_attributes: {
        required: ['object', 'position'],
        properties: {
          object: {
            required: ['object_id'],
            properties: { object_id: text(256), object_id_type: { const: 'product' } },
          },
          position: { required: ['ordinal'], properties: { ordinal: { type: 'integer', minimum: 1 } } },
        },
      },
    },
  },
};

function expectValid(format: keyof typeof SCHEMAS, ...values: unknown[]): void {
  const validate = ajv.compile({ type: 'object', ...SCHEMAS[format] });
  expect(values.flatMap((value) => (validate(value) ? [] : (validate.errors ?? [])))).toEqual([]);
}

async function judgments(): Promise<{ phrase: string; product_id: string; grade: number }[]> {
  const { stdout } = await spor(
    'report',
    'judgments',
    '--tenant',
    TENANT,
    ...PERIOD,
    '--min-examined',
    '5',
    '--format',
    'ndjson',
  );
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { phrase: string; product_id: string; grade: number });
}

test('judgments for OpenSearch, Quepid and RRE are those of the report', async () => {
  const known = await judgments();
  expect(known.some(({ grade }) => grade === 3)).toBe(true);
  const inOpenSearch = JSON.parse(await exported('opensearch', '--min-examined', '5', '--name', 'November')) as {
    judgmentRatings: { query: string; ratings: { docId: string; rating: string }[] }[];
  };
  expectValid('opensearch', inOpenSearch);
  const rated = inOpenSearch.judgmentRatings.flatMap(({ query, ratings }) =>
    ratings.map(({ docId, rating }) => ({ phrase: query, product_id: docId, grade: Number(rating) })),
  );
  const plain = known.map(({ phrase, product_id, grade }) => ({ phrase, product_id, grade }));
  expect(rated).toEqual(plain);

  const [header, ...rows] = csv(await exported('quepid', '--min-examined', '5'));
  expect(header).toEqual(['query', 'docid', 'rating']);
  expect(rows).toEqual(plain.map(({ phrase, product_id, grade }) => [phrase, product_id, String(grade)]));

  await exported('rre', '--min-examined', '5', '--out', 'ratings.json');
  const inRre = JSON.parse(await readFile(join(dir, 'ratings.json'), 'utf8')) as {
    topics: { query_groups: { name: string; relevant_documents: Record<string, { gain: number }> }[] }[];
  };
  expectValid('rre', inRre);
  const gains = inRre.topics[0]!.query_groups.flatMap(({ name, relevant_documents }) =>
    Object.entries(relevant_documents).map(([id, { gain }]) => `${name} ${id} ${gain}`),
  );
  const relevant = plain.filter(({ grade }) => grade > 0);
  expect(gains.sort()).toEqual(
    relevant.map(({ phrase, product_id, grade }) => `${phrase} ${product_id} ${grade}`).sort(),
  );
});

test('searches and what followed fit User Behavior Insights 1.3, and belong together', async () => {
  const parsed = async (format: 'ubi-queries' | 'ubi-events'): Promise<Record<string, unknown>[]> => {
    const values = (await exported(format))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expectValid(format, ...values);
    return values;
  };
  const queries = new Set((await parsed('ubi-queries')).map(({ query_id }) => query_id));
  const events = await parsed('ubi-events');
  expect(new Set(events.map(({ action_name }) => action_name))).toEqual(
    new Set(['impression', 'click', 'add_to_cart', 'purchase']),
  );
  expect(events.every(({ query_id }) => queries.has(query_id))).toBe(true);
});

test('interactions for Personalize are those of visitors who agreed', async () => {
  const [header, ...rows] = csv(await exported('personalize'));
  expect(header).toEqual(['USER_ID', 'ITEM_ID', 'TIMESTAMP', 'EVENT_TYPE', 'EVENT_VALUE']);
  expect(new Set(rows.map(([, , , type]) => type))).toEqual(new Set(['View', 'AddToCart', 'Purchase']));
  for (const [user, item, timestamp, , value] of rows) {
    expect(user).toMatch(/^(anon|user):./);
    expect(item).not.toBe('');
    expect(timestamp).toMatch(/^1[78]\d{8}$/); // seconds, not milliseconds
    expect(value).toMatch(/^(\d+(\.\d+)?)?$/);
  }
  const { stdout } = await spor('sql', '--tenant', TENANT, '--json', 'select count(*)::int from touches');
  expect(rows.length).toBe((JSON.parse(stdout) as { rows: number[][] }).rows[0]![0]);
});

test('wrong use is told', async () => {
  const wrong = async (...args: string[]): Promise<string> => {
    const { code, stderr } = await spor('export', ...args);
    expect(code).toBe(2);
    return stderr;
  };
  expect(await wrong('word', '--tenant', TENANT)).toContain('choose opensearch, quepid, rre');
  expect(await wrong('quepid', '--tenant', TENANT, '--min-examined', '0')).toContain('min_examined');
  expect(await wrong('quepid', '--tenant', TENANT, '--from', '2026-11-02', '--to', '2026-11-02')).toContain(
    'is not before',
  );
});
