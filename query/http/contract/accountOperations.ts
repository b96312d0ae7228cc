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
