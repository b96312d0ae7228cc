import type { OpenApi } from '../../../schemas/openapi/openApi.ts';
import type { UsageRow } from '../../accounts/usage.ts';
import { decimalField, listField, objectOf, textField, wholeField } from './schemaWords.ts';

type TenantUsage = UsageRow & { tenantId: string };

/** Schemas of usage. */
export const ACCOUNT_SCHEMAS: Readonly<Record<string, OpenApi>> = {
  Usage: objectOf<{ usage: TenantUsage[] }>('Usage by tenant, month and segment.', {
    usage: listField('UsageRow', 'The rows, by tenant, month and segment.'),
  }),
  UsageRow: objectOf<TenantUsage>('What a tenant used in a month.', {
    tenantId: textField('The tenant.'),
    month: textField('UTC month, such as 2026-11.'),
    segment: textField('The segment. Empty: of no single segment, such as queries.'),
    accepted: wholeField('Events that receivers accepted, by day of receipt. Resends count too.'),
    rejected: wholeField('Events that receivers rejected.'),
    bytesReceived: wholeField('Bytes of request bodies as they came.'),
    queries: wholeField('Statements and reports that query servers ran.'),
    queryCpuSeconds: decimalField('Processor time of the answered queries.'),
    queryRows: wholeField('Rows of the answers.'),
    querySeconds: decimalField('Time that the queries ran.'),
    storageBytes: wholeField('Bytes of the current files of events and quarantine, as last seen in the month.'),
  }),
};
