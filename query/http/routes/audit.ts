import { isDate } from '../../../schemas/dateTime.ts';
import type { Audit } from '../../audit/audit.ts';
import { LakeError } from '../../../lake/errors.ts';
import type { Slots } from '../../engine/slots.ts';
import { jsonReply, type Route } from '../route.ts';

/**
 * `GET /api/receipts/:id`: what became of each event of a batch. `GET /api/completeness`: up to when the tenant's events are
 * in the lake; with `?date=2026-11-23` also whether everything received that day is.
 */
export function auditRoutes({ accounts, slots }: { accounts: Audit; slots: Slots }): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/receipts/:id',
      access: 'reader',
      parameters: [],
      async handle({ params, reader, signal }) {
        const release = await slots.acquire(reader.tenantId, signal);
        try {
          return jsonReply(await accounts.receipt(params.id!, reader));
        } finally {
          release();
        }
      },
    },
    {
      method: 'GET',
      path: '/api/completeness',
      access: 'reader',
      parameters: ['date'],
      async handle({ query, reader: { tenantId } }) {
        const date = query.get('date');
        if (date !== null && !isDate(date)) {
          throw new LakeError('parameter_invalid', '"date" must be a UTC date such as 2026-11-23.');
        }
        const answer = await accounts.completeness(tenantId);
        if (date === null) return jsonReply(answer);
        return jsonReply({ ...answer, date, complete: date <= (answer.completeThrough ?? '') });
      },
    },
  ];
}
