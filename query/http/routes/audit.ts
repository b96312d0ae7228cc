import { isDate } from '../../../schemas/dateTime.ts';
import type { Audit } from '../../audit/audit.ts';
import type { Completeness } from '../../audit/completeness.ts';
import { LakeError } from '../../../lake/errors.ts';
import type { Slots } from '../../engine/slots.ts';
import type { TenantReader } from '../authorize.ts';
import { jsonReply, type ReaderCall, type Route } from '../route.ts';
import { GET_COMPLETENESS, GET_DUPLICATES, GET_RECEIPT } from '../contract/readOperations.ts';

/**
 * Routes of receipts and completeness.
 *
 * `GET /api/receipts/:id` shows the state of each event of a batch. `GET /api/completeness` shows up to when the
 * tenant's events are in the lake. With `?date=2026-11-23` it also shows whether all events received that day are.
 * `GET /api/duplicates` shows how many resends were dropped lately.
 * @param options.lookups slots of short reads, which need not wait for queries
 */
export function auditRoutes({ audit, slots, lookups }: { audit: Audit; slots: Slots; lookups: Slots }): Route[] {
  const completeness = async (reader: TenantReader, signal: AbortSignal): Promise<Completeness> => {
    const release = await lookups.acquire(reader, signal);
    try {
      return await audit.completeness(reader.tenantId);
    } finally {
      release();
    }
  };
  return [
    {
      ...GET_RECEIPT,
      async handle({ params, reader, signal }: ReaderCall) {
        const release = await slots.acquire(reader, signal);
        try {
          return jsonReply(await audit.receipt(params.id!, reader));
        } finally {
          release();
        }
      },
    },
    {
      ...GET_COMPLETENESS,
      async handle({ query, reader, signal }: ReaderCall) {
        const date = query.get('date');
        if (date !== null && !isDate(date)) {
          throw new LakeError('parameter_invalid', '"date" must be a UTC date such as 2026-11-23.');
        }
        const answer = await completeness(reader, signal);
        if (date === null) return jsonReply(answer);
        return jsonReply({ ...answer, date, complete: date <= (answer.completeThrough ?? '') });
      },
    },
    {
      ...GET_DUPLICATES,
      async handle({ reader, signal }: ReaderCall) {
        const release = await lookups.acquire(reader, signal);
        try {
          return jsonReply(await audit.duplicates(reader.tenantId));
        } finally {
          release();
        }
      },
    },
  ];
}
