import { BODY_CODES } from './codes.ts';
import { tokenOperation } from './operation.ts';

const USAGE = {
  tenantId: 'demo-shop',
  month: '2026-11',
  segment: 'web',
  accepted: 120_000,
  rejected: 12,
  bytesReceived: 48_000_000,
  queries: 0,
  queryCpuSeconds: 0,
  queryRows: 0,
  querySeconds: 0,
  storageBytes: 9_100_000,
};
const month = (description: string) => ({ type: 'string', pattern: '^\\d{4}-\\d{2}$', description });

/** `GET /api/usage` */
export const GET_USAGE = tokenOperation('token', ['GET', '/api/usage'], {
  id: 'getUsage',
  summary: 'Get the usage of the tenant by month and segment',
  description:
    'An operator gets all tenants, or one. The token of some segments gets only rows of these, so none of queries.',
  query: {
    from: month('First UTC month, such as 2026-01. Absent: the first there is.'),
    to: month('Last UTC month. Absent: the last there is.'),
    tenant: { type: 'string', description: 'Only this tenant; for operators.' },
  },
  answer: { summary: 'The rows.', schema: 'Usage', example: { usage: [USAGE] } },
  codes: ['tenant_forbidden', 'tenant_missing', 'storage_unavailable', 'table_corrupt', 'too_many_queries'],
});

const QUOTA = {
  tenantId: 'demo-shop',
  eventsPerSecond: 500,
  eventsPerMonth: 10_000_000,
  changedAt: '2026-11-23T10:00:00.000Z',
  use: [{ per: 'month', limit: 10_000_000, used: 8_100_000, resetSeconds: 604_800 }],
  near: true,
};

/** `GET /api/quota` */
export const GET_QUOTA = tokenOperation('reader', ['GET', '/api/quota'], {
  id: 'getQuota',
  summary: 'Get the quota of the tenant and its use',
  answer: { summary: 'The limits and their use.', schema: 'Quota', example: QUOTA },
  codes: ['quotas_unavailable'],
});

/** `PUT /api/quota` */
export const SET_QUOTA = tokenOperation('reader', ['PUT', '/api/quota'], {
  id: 'setQuota',
  summary: 'Set the quota of the tenant; needs an operator token',
  description: 'Absent limits no longer bind.',
  body: { schema: 'NewQuota', example: { eventsPerSecond: 500, eventsPerMonth: 10_000_000 } },
  answer: { summary: 'The limits and their use.', schema: 'Quota', example: QUOTA },
  codes: [...BODY_CODES, 'operator_required', 'quotas_unavailable'],
});

const CHANGE = {
  id: '20261123T100000000Z-9f3a4c1d',
  at: '2026-11-23T10:00:00.000Z',
  action: 'key.revoke',
  by: 'token fedcba9876543210 (console)',
  tenantId: 'demo-shop',
  segmentId: 'web',
  about: 'key 0123456789abcdef',
  outcome: 'done',
};

/** `GET /api/audit` */
export const LIST_AUDIT = tokenOperation('token', ['GET', '/api/audit'], {
  id: 'listAudit',
  summary: 'List the changes that people and services made, newest first',
  description: "An operator sees all, or those of one tenant. Another token sees its tenant's, or only its segments'.",
  query: {
    tenant: { type: 'string', description: 'Only this tenant; for operators.' },
    action: { type: 'string', description: 'Begin of the action, such as key or key.create.' },
    since: { type: 'string', description: 'A UTC date, or a time with its zone.' },
    limit: { type: 'integer', format: 'int64', minimum: 1, maximum: 10_000, description: 'Most changes. Absent: 100.' },
  },
  answer: { summary: 'The changes.', schema: 'Audit', example: { changes: [CHANGE], more: false } },
  codes: ['tenant_forbidden', 'tenant_missing', 'storage_unavailable', 'table_corrupt', 'too_many_queries'],
});
