import { FORMATS } from '../../formats/formats.ts';
import { listReports } from '../../insight/reports.ts';
import { BODY_CODES, STATEMENT_CODES, TABLE_CODES } from './codes.ts';
import { openOperation, tokenOperation, type ParameterSchema } from './operation.ts';

const { json: _json, ...OTHER_FORMATS } = FORMATS;
const BINARY = ['parquet', 'arrow'];
/** Media types of rows besides JSON, without their parameters. */
const ROW_TYPES = Object.fromEntries(
  Object.entries(OTHER_FORMATS).map(([format, type]) => [type.split(';')[0]!, BINARY.includes(format)]),
);
const SNAPSHOT = { version: 41, files: 3, liveness: 'live', at: '2026-11-23T10:00:00.000Z' };
const COUNT_EXAMPLE = {
  truncated: false,
  columns: [{ name: 'n', type: 'BIGINT' }],
  rows: [[128]],
  rowCount: 1,
  snapshot: SNAPSHOT,
  elapsedMs: 12,
};
const DATE = '2026-11-23';

const STATE_PARAMETERS: Readonly<Record<string, ParameterSchema>> = {
  snapshot: {
    type: 'string',
    enum: ['live', 'committed'],
    description: 'With or without events that are not committed yet.',
  },
  version: { type: 'integer', format: 'int64', minimum: 0, description: 'Committed version of the table.' },
};

const PARAMETER_KINDS = {
  INTEGER: { type: 'integer', format: 'int64' },
  DOUBLE: { type: 'number', format: 'double' },
  TEXT: { type: 'string' },
} as const;

/** `POST /api/query` */
export const RUN_QUERY = tokenOperation('reader', ['POST', '/api/query'], {
  id: 'runQuery',
  summary: 'Run one SQL statement over the events of the tenant',
  description: '"snapshot" and "version" may stand in the address or in the body.',
  query: STATE_PARAMETERS,
  body: { schema: 'QueryRequest', example: { sql: 'select count(*) as n from events' } },
  answer: { summary: 'The rows.', schema: 'QueryAnswer', example: COUNT_EXAMPLE, also: ROW_TYPES },
  codes: [
    ...STATEMENT_CODES,
    ...BODY_CODES,
    'sql_invalid',
    'sql_not_one_statement',
    'sql_not_a_query',
    'sql_forbidden',
  ],
});

/** `GET /api/reports` */
export const LIST_REPORTS = tokenOperation('reader', ['GET', '/api/reports'], {
  id: 'listReports',
  summary: 'List the reports with their columns, parameters and definitions',
  answer: { summary: 'The reports.', schema: 'ReportList', example: { reports: listReports().slice(0, 1) } },
});

/** `GET /api/reports/{name}` */
export const RUN_REPORT = tokenOperation(
  'reader',
  ['GET', '/api/reports/:name'],
  {
    id: 'runReport',
    summary: 'Run a report',
    description: 'Each report takes only its own parameters besides those of all; GET /api/reports lists them.',
    path: { name: { type: 'string', description: 'Name of the report.' } },
    query: {
      from: { type: 'string', format: 'date', description: 'First date; absent: 28 days ago.' },
      to: { type: 'string', format: 'date', description: 'The date after the last; absent: tomorrow.' },
      zone: { type: 'string', description: "IANA time zone of the dates; absent: the shop's, else UTC." },
      before: { type: 'boolean', description: 'The period before instead, as much of it as has passed.' },
      segment: { type: 'string', description: 'Only this segment.' },
      format: { type: 'string', enum: Object.keys(FORMATS), description: 'Absent: the Accept header decides.' },
      ...STATE_PARAMETERS,
      ...ownParameters(),
    },
    answer: {
      summary: 'The rows.',
      schema: 'QueryAnswer',
      example: { report: listReports()[0]!.name, from: DATE, to: '2026-11-24', zone: 'UTC', ...COUNT_EXAMPLE },
      also: ROW_TYPES,
    },
    codes: [...STATEMENT_CODES, 'report_unknown', 'report_parameter'],
  },
  { ownChecks: true },
);

/** `GET /api/receipts/{id}` */
export const GET_RECEIPT = tokenOperation('reader', ['GET', '/api/receipts/:id'], {
  id: 'getReceipt',
  summary: 'Get the state of each event of a batch',
  path: { id: { type: 'string', description: 'The receiptId of the answer to the batch.' } },
  answer: {
    summary: 'The state of each event.',
    schema: 'ReceiptState',
    example: {
      receiptId: 'mgq3x0ab-2-1z-0',
      tenantId: 'demo-shop',
      segmentId: 'web',
      receivedAt: '2026-11-23T10:00:00.140Z',
      stream: 'held',
      accepted: 1,
      refused: 0,
      states: { accepted: 1 },
      versions: { events: 41, quarantine: 7 },
      events: [{ index: 0, eventId: '01936e0a-7c1e-7000-8000-000000000001', type: 'Search', state: 'accepted' }],
    },
  },
  codes: [...TABLE_CODES, 'receipt_malformed', 'receipt_unknown', 'receipt_reading'],
});

/** `GET /api/completeness` */
export const GET_COMPLETENESS = tokenOperation('reader', ['GET', '/api/completeness'], {
  id: 'getCompleteness',
  summary: 'Get the time up to which the lake has every event',
  query: { date: { type: 'string', format: 'date', description: 'A UTC date: is it complete?' } },
  answer: {
    summary: 'The times.',
    schema: 'Completeness',
    example: {
      tenantId: 'demo-shop',
      acknowledgedBefore: '2026-11-24T10:00:00.000Z',
      receivedBefore: '2026-11-24T09:55:00.000Z',
      completeThrough: DATE,
      date: DATE,
      complete: true,
    },
  },
  codes: TABLE_CODES,
});

/** `GET /api/duplicates` */
export const GET_DUPLICATES = tokenOperation('reader', ['GET', '/api/duplicates'], {
  id: 'getDuplicates',
  summary: 'Count the resends that the newest commits dropped, and those with other content',
  description: 'Of the newest 256 commits. "differing" should be 0: each event needs an id of its own.',
  answer: {
    summary: 'The counts.',
    schema: 'RecentDuplicates',
    example: {
      tenantId: 'demo-shop',
      from: DATE,
      accepted: 4200,
      duplicate: 12,
      differing: 1,
      receipts: ['mgq3x0ab-2-1z-0'],
    },
  },
  codes: TABLE_CODES,
});

/** `GET /api/changes` */
export const LIST_CHANGES = tokenOperation(
  'reader',
  ['GET', '/api/changes'],
  {
    id: 'listChanges',
    summary: 'List the files added to and removed from a table since a version',
    query: {
      table: { type: 'string', description: 'events (if absent), quarantine, or the name of a mart.' },
      since: { type: 'integer', format: 'int64', minimum: -1, description: 'Version known; absent: list all files.' },
    },
    answer: {
      summary: 'The files.',
      schema: 'Changes',
      example: {
        url: 's3://lake/events/tenant=demo-shop',
        since: 40,
        version: 41,
        more: false,
        commits: [
          {
            version: 41,
            committedAt: '2026-11-23T10:00:01.000Z',
            added: [
              {
                path: `segment=web/date=${DATE}/EVENTS_2-70-71-9f3a.parquet`,
                bytes: 7168,
                rows: 128,
                partition: { segment: 'web', date: DATE },
              },
            ],
            removed: [],
          },
        ],
      },
    },
    codes: [...TABLE_CODES, 'changes_parameter', 'changes_unknown', 'changes_gone'],
  },
  { ownChecks: true },
);

/** `GET /api/lag` */
export const GET_LAG = tokenOperation('reader', ['GET', '/api/lag'], {
  id: 'getLag',
  summary: "Get the tenant's backlog",
  answer: {
    summary: 'The backlog.',
    schema: 'Lag',
    example: { at: 1_795_428_000_000, shard: 2, lagMessages: 0, behindMs: 0, lastCommit: '2026-11-23T10:00:01.000Z' },
  },
});

/** `GET /healthz` */
export const GET_HEALTH = openOperation('GET', '/healthz', {
  id: 'getHealth',
  summary: 'Tell whether the process is alive',
  answer: { summary: 'It is alive.', schema: 'Health', example: { status: 'ok' } },
});

/** `GET /readyz` */
export const GET_READINESS = openOperation('GET', '/readyz', {
  id: 'getReadiness',
  summary: 'Tell whether the server can answer queries',
  answer: { summary: 'It can.', schema: 'Health', example: { status: 'ready' } },
  codes: ['not_ready'],
});

/** `GET /metrics` */
export const GET_METRICS = openOperation('GET', '/metrics', {
  id: 'getMetrics',
  summary: 'Get metrics in the Prometheus text format',
  answer: { summary: 'The metrics.', also: { 'text/plain': false } },
  codes: ['metrics_token_wrong'],
});

/** `GET /openapi.json` */
export const GET_OPENAPI = openOperation('GET', '/openapi.json', {
  id: 'getOpenApi',
  summary: 'Get this document',
  answer: { summary: 'The document.', schema: 'OpenApiDocument' },
});

/** Parameters of single reports, by name. */
function ownParameters(): Record<string, ParameterSchema> {
  const out: Record<string, ParameterSchema> = {};
  for (const { name: report, parameters } of listReports())
    for (const { name, type, description } of parameters) {
      const kind = PARAMETER_KINDS[type];
      const words = `Of ${report}: ${description}`;
      out[name] = { ...kind, description: out[name] ? `${out[name].description} ${words}` : words };
    }
  return out;
}
