import type { Logger } from '../../../runtime/log.ts';
import type { QuotaRecord } from '../../../schemas/quotas.ts';
import { LAKE_ERRORS } from '../../../schemas/queryErrors.ts';
import type { QuotasOf } from '../../access/access.ts';
import { quotaAnswer } from '../../access/quotas.ts';
import { quotaLimits } from '../../access/records.ts';
import { LakeError } from '../../../lake/errors.ts';
import { recorded, type ChangeLog } from '../../../schemas/change.ts';
import { nameOf, requireOperator } from '../authorize.ts';
import { GET_QUOTA, SET_QUOTA } from '../contract/accountOperations.ts';
import { readJsonObject } from '../jsonBody.ts';
import { jsonReply, type ReaderCall, type Route } from '../route.ts';

/** `GET /api/quota` for any token of the tenant, and `PUT /api/quota` for operators. */
export function quotaRoutes(
  /** Undefined until they are loaded, or if the identity may not read them. */
  quotas: () => QuotasOf | undefined,
  { log, changes }: { log: Logger; changes: () => ChangeLog | undefined },
): Route[] {
  const known = (): QuotasOf => {
    const open = quotas();
    if (!open) throw new LakeError('quotas_unavailable', LAKE_ERRORS.quotas_unavailable.help, { retryAfterSeconds: 5 });
    return open;
  };
  const answer = ({ reader: { tenantId } }: ReaderCall, record: QuotaRecord | undefined) =>
    jsonReply(quotaAnswer(tenantId, record, known().counts(), Date.now()));
  return [
    { ...GET_QUOTA, handle: (call: ReaderCall) => answer(call, known().get(call.reader.tenantId)) },
    {
      ...SET_QUOTA,
      async handle(call: ReaderCall) {
        const { identity, reader } = call;
        requireOperator(identity);
        const limits = quotaLimits(await readJsonObject(call));
        const change = { action: 'quota.set', by: nameOf(identity), tenantId: reader.tenantId, after: limits };
        const before = await recorded(changes(), change, async (note) => {
          const replaced = await known().set(reader.tenantId, limits);
          note({ before: replaced ?? null });
          return replaced;
        });
        log.info(
          { audit: true, action: 'quota set', by: identity.tokenId, tenantId: reader.tenantId, before, after: limits },
          'access changed',
        );
        return answer(call, { ...limits, changedAt: new Date().toISOString() });
      },
    },
  ];
}
