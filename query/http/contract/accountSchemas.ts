import type { OpenApi } from '../../../schemas/openapi/openApi.ts';
import type { UsageRow } from '../../accounts/usage.ts';
import type { QuotaStanding } from '../../../schemas/quotas.ts';
import type { ChangeRecord } from '../../../schemas/change.ts';
import type { QuotaAnswer, QuotaLimits } from '../../access/quotas.ts';
import {
  choiceField,
  decimalField,
  flagField,
  listField,
  objectOf,
  optional,
  textField,
  timeField,
  wholeField,
} from './schemaWords.ts';

type TenantUsage = UsageRow & { tenantId: string };

/** A setting or a record of any shape. */
const ANY = { schema: { description: 'The setting or record.' } };
const LIMITS = {
  eventsPerSecond: optional(wholeField('Events of any verdict in a second, over all receivers.')),
  eventsPerDay: optional(wholeField('Accepted events of a UTC day.')),
  eventsPerMonth: optional(wholeField('Accepted events of a UTC month.')),
};

/** Schemas of usage and quotas. */
export const ACCOUNT_SCHEMAS: Readonly<Record<string, OpenApi>> = {
  Audit: objectOf<{ changes: ChangeRecord[]; more: boolean }>('Changes, newest first.', {
    changes: listField('Change', 'The changes.'),
    more: flagField('Whether there are more than the limit.'),
  }),
  Change: objectOf<ChangeRecord>('A change, without secrets.', {
    id: textField('Sorts by time.'),
    at: timeField('Begin, by the clock of who made it.'),
    action: textField('What was done, such as key.create.'),
    by: textField('The token, the person, the user of a command, or the service.'),
    tenantId: optional(textField('The tenant, if it was one.')),
    segmentId: optional(textField('The segment, if it was one.')),
    about: optional(textField('What it was done to, such as a key.')),
    before: optional(ANY),
    after: optional(ANY),
    outcome: choiceField(['begun', 'done', 'failed'], 'begun: how it went is not known.'),
    message: optional(textField('Why it failed.')),
  }),
  Quota: objectOf<QuotaAnswer>('Limits of a tenant over all receivers, and their use.', {
    tenantId: textField('The tenant.'),
    ...LIMITS,
    changedAt: optional(timeField('Time of the last change.')),
    use: listField('QuotaStanding', 'The use of the limits of days and months.'),
    near: flagField('Whether a limit is used to 80 % or more.'),
  }),
  QuotaStanding: objectOf<QuotaStanding>('How much of a limit is used.', {
    per: choiceField(['day', 'month'], 'The UTC period.'),
    limit: wholeField('Accepted events of the period.'),
    used: wholeField('Accepted events so far.'),
    resetSeconds: wholeField('Seconds until the count starts again.'),
  }),
  NewQuota: { ...objectOf<QuotaLimits>('The limits of a tenant.', LIMITS), additionalProperties: false },
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
