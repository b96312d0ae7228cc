/**
 * A folder of code with its allowed imports.
 *
 * `lake` means the files directly in that folder, and `lake/*` includes those of its sub-rooms.
 */
export interface Room {
  /** Folder from the root of the repository, such as `lake/delta`. */
  path: string;
  /** Contents of the room, for the picture. */
  holds: string;
  /** Rooms from which it may import, besides itself. */
  imports: readonly string[];
  /** Patterns of npm packages that it must not import. */
  forbidden?: readonly string[];
  /** Whether it runs in a browser, and imports types only. */
  typesOnly?: boolean;
}

const STREAM_CLIENT = '@nats-io/*';
const DUCKDB = '@duckdb/*';
const S3_CLIENT = '@aws-sdk/*';

/** All rooms with their allowed arrows; a room imports only from earlier ones. */
export const ROOMS: readonly Room[] = [
  {
    path: 'schemas',
    holds: 'the contract: event types, columns, error codes, keys',
    imports: [],
    forbidden: [STREAM_CLIENT, DUCKDB, S3_CLIENT],
  },
  {
    path: 'runtime',
    holds: 'process plumbing: settings, log, metrics, start and stop',
    imports: [],
    forbidden: [STREAM_CLIENT, DUCKDB, S3_CLIENT],
  },
  {
    path: 'stream',
    holds: 'JetStream and KV: connection, streams, messages, positions',
    imports: ['schemas', 'runtime'],
    forbidden: [DUCKDB, S3_CLIENT],
  },
  {
    path: 'lake',
    holds: 'tables at rest, a library without a main',
    imports: ['schemas', 'runtime'],
    forbidden: [STREAM_CLIENT, DUCKDB, S3_CLIENT],
  },
  {
    path: 'lake/storage',
    holds: 'objects in a folder or S3',
    imports: ['lake', 'runtime'],
    forbidden: [STREAM_CLIENT, DUCKDB],
  },
  {
    path: 'lake/duckdb',
    holds: 'DuckDB in this process or its own, SQL text, Parquet options',
    imports: ['runtime'],
    forbidden: [STREAM_CLIENT, S3_CLIENT],
  },
  {
    path: 'lake/delta',
    holds: 'the table log',
    imports: ['schemas', 'lake', 'lake/storage', 'lake/duckdb'],
    forbidden: [STREAM_CLIENT, DUCKDB, S3_CLIENT],
  },
  {
    path: 'lake/files',
    holds: 'local copies of data files, their cache, pruning',
    imports: ['runtime', 'lake', 'lake/storage', 'lake/duckdb', 'lake/delta'],
    forbidden: [STREAM_CLIENT, DUCKDB, S3_CLIENT],
  },
  {
    path: 'lake/layout',
    holds: 'paths, table specs, tenants, open tables',
    imports: ['schemas', 'lake', 'lake/storage', 'lake/delta'],
    forbidden: [STREAM_CLIENT, DUCKDB, S3_CLIENT],
  },
  {
    path: 'lake/counts',
    holds: 'what a commit says of its events',
    imports: ['lake', 'lake/storage', 'lake/delta'],
    forbidden: [STREAM_CLIENT, DUCKDB, S3_CLIENT],
  },
  {
    path: 'lake/window',
    holds: 'messages into files of lines',
    imports: ['schemas', 'runtime', 'stream', 'lake/counts'],
    forbidden: [STREAM_CLIENT, DUCKDB, S3_CLIENT],
  },
  {
    path: 'lake/dedupe',
    holds: 'event ids: which events are resends',
    imports: ['runtime', 'lake/storage', 'lake/duckdb', 'lake/delta'],
    forbidden: [STREAM_CLIENT, DUCKDB, S3_CLIENT],
  },
  {
    path: 'lake/erasure',
    holds: 'the list of erased people, and rewriting tables without them',
    imports: ['runtime', 'lake/storage', 'lake/duckdb', 'lake/delta', 'lake/files', 'lake/layout', 'lake/counts'],
    forbidden: [STREAM_CLIENT, DUCKDB, S3_CLIENT],
  },
  {
    path: 'lake/flush',
    holds: 'a window into Parquet files',
    imports: [
      'schemas',
      'runtime',
      'stream',
      'lake/duckdb',
      'lake/delta',
      'lake/layout',
      'lake/counts',
      'lake/window',
      'lake/dedupe',
      'lake/erasure',
    ],
    forbidden: [STREAM_CLIENT, DUCKDB, S3_CLIENT],
  },
  {
    path: 'lake/maintenance',
    holds: 'compaction, retention, checkpoints, log cleanup, vacuum',
    imports: [
      'schemas',
      'runtime',
      'lake',
      'lake/storage',
      'lake/duckdb',
      'lake/delta',
      'lake/files',
      'lake/layout',
      'lake/counts',
    ],
    forbidden: [STREAM_CLIENT, DUCKDB, S3_CLIENT],
  },
  {
    path: 'ingest',
    holds: 'the Event Receiver: HTTP, keys, verdicts, group commit',
    imports: ['schemas', 'runtime', 'stream'],
    forbidden: [DUCKDB, S3_CLIENT],
  },
  {
    path: 'processor',
    holds: 'stream to lake, exactly once',
    imports: ['schemas', 'runtime', 'stream', 'lake/*'],
    forbidden: [DUCKDB, S3_CLIENT],
  },
  {
    path: 'query/formats',
    holds: 'rows as JSON, NDJSON, CSV, Arrow',
    imports: ['lake'],
    forbidden: [STREAM_CLIENT, S3_CLIENT],
  },
  {
    path: 'query/sandbox',
    holds: 'untrusted SQL in a process of its own',
    imports: ['runtime', 'lake', 'lake/duckdb', 'query/formats'],
    forbidden: [STREAM_CLIENT, S3_CLIENT],
  },
  {
    path: 'query/tail',
    holds: 'the live tail: acknowledged and not yet committed',
    imports: [
      'schemas',
      'runtime',
      'stream',
      'lake',
      'lake/duckdb',
      'lake/delta',
      'lake/files',
      'lake/layout',
      'lake/window',
      'lake/dedupe',
      'lake/erasure',
      'lake/flush',
    ],
    forbidden: [STREAM_CLIENT, S3_CLIENT],
  },
  {
    path: 'query/insight',
    holds: 'views and reports, each an SQL file',
    imports: ['schemas', 'runtime', 'lake', 'lake/duckdb'],
    forbidden: [STREAM_CLIENT, S3_CLIENT],
  },
  {
    path: 'query/engine',
    holds: 'a query: snapshot, files, views, answer',
    imports: [
      'schemas',
      'lake',
      'lake/storage',
      'lake/duckdb',
      'lake/delta',
      'lake/files',
      'lake/layout',
      'query/formats',
      'query/sandbox',
      'query/tail',
      'query/insight',
    ],
    forbidden: [STREAM_CLIENT, S3_CLIENT],
  },
  {
    path: 'query/marts',
    holds: 'derived tables for other services',
    imports: [
      'schemas',
      'runtime',
      'lake',
      'lake/storage',
      'lake/duckdb',
      'lake/delta',
      'lake/files',
      'lake/layout',
      'lake/maintenance',
      'query/insight',
      'query/engine',
    ],
    forbidden: [STREAM_CLIENT, S3_CLIENT],
  },
  {
    path: 'query/attach',
    holds: 'a DuckDB database of views for data scientists',
    imports: [
      'schemas',
      'lake/storage',
      'lake/duckdb',
      'lake/delta',
      'lake/files',
      'lake/layout',
      'query/insight',
      'query/engine',
      'query/marts',
    ],
    forbidden: [STREAM_CLIENT, S3_CLIENT],
  },
  {
    path: 'query/audit',
    holds: 'receipts, completeness, reconcile',
    imports: [
      'schemas',
      'runtime',
      'stream',
      'lake',
      'lake/storage',
      'lake/duckdb',
      'lake/delta',
      'lake/files',
      'lake/layout',
      'lake/counts',
      'lake/dedupe',
    ],
    forbidden: [DUCKDB, S3_CLIENT],
  },
  {
    path: 'query/access',
    holds: 'keys and tokens: list, create, revoke',
    imports: ['schemas', 'runtime', 'stream', 'lake', 'lake/storage', 'lake/layout'],
    forbidden: [DUCKDB, S3_CLIENT],
  },
  {
    path: 'query/live',
    holds: 'events as they arrive, for a viewer',
    imports: ['schemas', 'runtime', 'stream', 'lake'],
    forbidden: [STREAM_CLIENT, DUCKDB, S3_CLIENT],
  },
  {
    path: 'query/http',
    holds: 'routes, answers, the page',
    imports: [
      'schemas',
      'runtime',
      'stream',
      'lake',
      'lake/storage',
      'lake/delta',
      'lake/layout',
      'query/formats',
      'query/insight',
      'query/engine',
      'query/marts',
      'query/audit',
      'query/access',
      'query/live',
    ],
    forbidden: [STREAM_CLIENT, DUCKDB, S3_CLIENT],
  },
  {
    path: 'query',
    holds: 'the query server: SQL, reports, marts, audit',
    imports: ['schemas', 'runtime', 'stream', 'lake/*', 'query/*'],
    forbidden: [STREAM_CLIENT, DUCKDB, S3_CLIENT],
  },
  {
    path: 'console',
    holds: 'the page for people',
    imports: ['schemas', 'query/http', 'query/live'],
    typesOnly: true,
  },
  {
    path: 'cli',
    holds: 'the `spor` command, a file each; replay, redrive',
    imports: ['schemas', 'runtime', 'stream', 'lake/*', 'ingest', 'query/*'],
  },
  {
    path: 'scripts',
    holds: 'demo, stack, load, bench, chaos',
    imports: ['schemas', 'runtime', 'stream', 'lake/*', 'ingest', 'processor', 'query/*', 'cli'],
  },
  { path: 'sdk/js/src', holds: 'the JavaScript SDK', imports: ['schemas'] },
];
