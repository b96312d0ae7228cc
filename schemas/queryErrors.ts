import { clientError, permanentFault, temporaryError, type ErrorKind } from './errorKind.ts';

/** Every failure of the lake and its query server. */
export const LAKE_ERRORS = {
  request_malformed: clientError(
    400,
    'The request is not HTTP/1.1 as RFC 9112 has it, or has no header Host. The connection is closed.',
  ),
  body_not_json: clientError(400, 'The body is not JSON text in UTF-8. Send {"sql": "select …"}.'),
  body_invalid: clientError(400, 'The body has the wrong shape. Send {"sql": "select …", "format": "json"}.'),
  sql_invalid: clientError(
    400,
    'The SQL does not parse, or names something that does not exist; the message is from DuckDB.',
  ),
  sql_not_one_statement: clientError(400, 'Send exactly one SQL statement.'),
  sql_not_a_query: clientError(
    400,
    'Only statements that read are allowed: SELECT, WITH, FROM, VALUES, DESCRIBE, SUMMARIZE, EXPLAIN.',
  ),
  sql_failed: clientError(400, 'The query failed while running, for instance on a cast; the message is from DuckDB.'),
  parameter_invalid: clientError(
    400,
    'A parameter of the address is unknown, given twice, or out of its range; the message says which.',
  ),
  changes_parameter: clientError(400, 'A parameter of the listing of changes is wrong; the message says which.'),
  report_parameter: clientError(
    400,
    'A parameter of the report is missing or out of its range; the message says which.',
  ),
  catalogue_unreadable: clientError(400, 'The catalogue is no file of its format; the message says why.'),
  catalogue_lines_bad: clientError(
    400,
    'Lines of the catalogue are bad, and nothing was stored. The answer has them under "report"; docs/catalogue.md lists their codes.',
  ),
  catalogue_empty: clientError(
    400,
    'A whole catalogue without a product would remove every product. Send lines with removed instead.',
  ),
  version_ambiguous: clientError(
    400,
    'The query reads several tables, each with its own versions. Omit "version", or query one table.',
  ),
  receipt_malformed: clientError(
    400,
    "This is not a receipt. Receipts look like mgq3x0ab-2-1z-0, as in the receiver's answer.",
  ),
  tenant_missing: clientError(400, 'An operator token can read every tenant. Name one in the header X-Spor-Tenant.'),
  token_conflict: clientError(400, 'The request has two headers Authorization that differ. Send one of them.'),
  token_missing: clientError(401, 'No read token. Send "Authorization: Bearer rt_…".'),
  token_unknown: clientError(401, 'The read token is unknown. Check the spelling and the environment.'),
  token_revoked: clientError(401, 'The read token was revoked. Use its successor.'),
  token_expired: clientError(401, 'The read token has expired. Use its successor.'),
  key_missing: clientError(401, 'No instrumentation key. Send a server key as the header X-Instrumentation-Key.'),
  key_conflict: clientError(400, 'X-Instrumentation-Key is given twice, with keys that differ. Send one of them.'),
  key_unknown: clientError(401, 'The instrumentation key is unknown. Check the spelling and the environment.'),
  key_revoked: clientError(401, 'The instrumentation key was revoked. Use its successor.'),
  key_expired: clientError(401, 'The instrumentation key has expired. Use its successor.'),
  kind_not_allowed: clientError(
    403,
    'Only a server key may do this. A browser key is public: anyone can read it in the page.',
  ),
  metrics_token_wrong: clientError(
    401,
    'GET /metrics needs "Authorization: Bearer" with the METRICS_TOKEN of the service.',
  ),
  sql_forbidden: clientError(
    403,
    "The SQL uses a file, a setting or an extension. It may only read the tenant's own views.",
  ),
  changes_unknown: clientError(404, 'The table or this version of it does not exist; the message says which.'),
  report_unknown: clientError(404, 'There is no report with this name. GET /api/reports lists them.'),
  version_unknown: clientError(404, 'The table has no such version. Omit "version" to read the newest.'),
  receipt_unknown: clientError(
    404,
    'No batch of this tenant has this receipt. It is from another tenant or environment, or too old.',
  ),
  tenant_unknown: clientError(
    404,
    'No tenant with this id has a key, a token or a table. GET /api/session lists the tenants.',
  ),
  tenant_forbidden: clientError(
    403,
    "The token belongs to another tenant. Omit X-Spor-Tenant, or use that tenant's token.",
  ),
  session_cross_site: clientError(
    403,
    'A page of another site tried to change something with the session of a person. Use the console itself, or a token.',
  ),
  role_required: clientError(403, 'No role of this person allows it here. Ask an operator for another role.'),
  role_missing: clientError(
    403,
    'The provider gave this person no role of Spor. An operator can add one there, such as analyst:demo-shop.',
  ),
  sign_in_failed: clientError(
    400,
    'The sign-in was not begun in this browser, took too long, or was refused. Begin again.',
  ),
  sign_in_unknown: clientError(404, 'This server has no OpenID provider. Use a token, or set OIDC_ISSUER.'),
  operator_required: clientError(
    403,
    'Only an operator token may do this. Create one with "npx spor tokens create --operator".',
  ),
  secret_unknown: clientError(404, 'There is no key or token with this id. List them to see their ids.'),
  not_found: clientError(404, 'No route has this address.'),
  method_not_allowed: clientError(405, 'This address does not take this method.'),
  request_timeout: temporaryError(
    408,
    'debug',
    'The request came too slowly: 10 s for its head, or 120 s in all. The connection is closed.',
  ),
  query_timeout: clientError(
    408,
    'The query took longer than allowed and was stopped. Narrow it, for instance by date.',
  ),
  version_gone: clientError(410, 'Vacuum has removed the log entries or files of this version. Ask for a newer one.'),
  restore_impossible: clientError(
    409,
    'What other tools did to the table cannot be undone from this version. The message says which commit or file is in the way.',
  ),
  changes_gone: clientError(
    410,
    'The log no longer holds the changes after this version. List all files, and continue from the version in that answer.',
  ),
  body_too_large: clientError(413, 'The body is over the limit.'),
  tables_too_large: clientError(
    413,
    'The files the query may read do not fit the local cache. Give "from" and "to", or raise LAKE_CACHE_MAX_BYTES.',
  ),
  answer_too_large: clientError(413, 'The answer is over the limit of bytes. Narrow the query, or split it.'),
  query_out_of_memory: clientError(413, 'The query needs more memory than allowed. Narrow it, or aggregate in steps.'),
  content_type_unsupported: clientError(415, 'The body must be application/json.'),
  encoding_unsupported: clientError(415, 'The body of a request must have no Content-Encoding.'),
  expectation_failed: clientError(417, 'The only expectation known here is "Expect: 100-continue".'),
  head_too_large: clientError(431, 'The head of the request is over 32 KiB. Send fewer or shorter headers.'),
  format_not_acceptable: clientError(
    406,
    'The Accept header allows no format of an answer. Accept JSON, NDJSON, CSV, Parquet or Arrow, or give "format".',
  ),
  query_crashed: permanentFault(
    'The query crashed its process. No other query was affected. Do not send it again unchanged.',
  ),
  too_many_queries: temporaryError(429, 'info', 'Too many queries wait already. Send again after Retry-After seconds.'),
  too_many_viewers: temporaryError(429, 'info', 'Too many live views are open. Close one, or try again later.'),
  query_cancelled: temporaryError(499, 'debug', 'The client disconnected, so the query was stopped.'),
  internal: temporaryError(500, 'error', 'Internal error. Send again later; the log of the server has the cause.'),
  receipt_reading: temporaryError(
    503,
    'info',
    "The log of the tenant's erasures is long and still being read. Send again after Retry-After seconds.",
  ),
  tokens_unavailable: temporaryError(
    503,
    'warn',
    'Read tokens have not been loaded yet, or their changes cannot be followed. Send again after Retry-After seconds.',
  ),
  sign_in_unavailable: temporaryError(
    503,
    'warn',
    'The OpenID provider does not answer. Send again later, or use a token.',
  ),
  quotas_unavailable: temporaryError(
    503,
    'warn',
    'Quotas have not been loaded yet, or the identity of this server is older than they are: write the rights again with "spor access init".',
  ),
  tail_unavailable: temporaryError(
    503,
    'warn',
    'Uncommitted events cannot be read, because the stream server does not answer. Send again, or ask with "snapshot": "committed".',
  ),
  stream_unavailable: temporaryError(
    503,
    'warn',
    'The stream server did not answer. Send again after Retry-After seconds.',
  ),
  storage_unavailable: temporaryError(
    503,
    'warn',
    "The lake's storage did not answer. Send again after Retry-After seconds.",
  ),
  clocks_differ: temporaryError(
    503,
    'error',
    'The clocks of this host, the store and the stream server differ by more than 15 minutes; the message has each. Nothing is deleted or expired until they agree.',
  ),
  not_ready: temporaryError(503, 'info', 'GET /readyz: this server must get no requests now; "reason" says why.'),
  stopping: temporaryError(503, 'info', 'This server is stopping. Send again; another one answers.'),
  storage_unfit: permanentFault(
    'The storage does not have a property that the lake needs; the message names it. Use another store, or fix its settings.',
  ),
  storage_path_invalid: permanentFault("A path leaves the lake's folder, or has characters that are not allowed."),
  storage_object_exists: permanentFault(
    'An object already exists under a name that must be new. Lake files are never overwritten.',
  ),
  table_unsupported: permanentFault(
    'The table uses a Delta protocol version or feature that this version of Spor does not support.',
  ),
  table_append_only: permanentFault(
    'The table has the property delta.appendOnly, so no row of it may be removed. Remove the property to erase or expire.',
  ),
  table_corrupt: permanentFault("The table's log does not follow the Delta protocol."),
  table_schema_conflict: permanentFault("The table's columns conflict with those of this version."),
  txn_conflict: permanentFault('Another owner committed to the table first. Nothing of this commit is in the table.'),
} as const satisfies Record<string, ErrorKind>;

export type LakeErrorCode = keyof typeof LAKE_ERRORS;
