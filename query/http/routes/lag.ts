import { StreamUnavailableError } from '../../../stream/errors.ts';
import type { Audit } from '../../audit/audit.ts';
import { jsonReply, type ReaderCall, type Route } from '../route.ts';
import { GET_LAG } from '../contract/readOperations.ts';
import type { LagAnswer } from '../contract/lagAnswer.ts';

/** `GET /api/lag`: the tenant's backlog. */
export function lagRoute(audit: Audit): Route {
  return {
    ...GET_LAG,
    async handle({ reader: { tenantId } }: ReaderCall) {
      const at = Date.now();
      const backlog = await audit.backlog(tenantId);
      if (!backlog) throw new StreamUnavailableError('There is no event stream yet: start a receiver.');
      const { shard, messages, oldestMs, committedMs } = backlog;
      const answer: LagAnswer = {
        at,
        shard,
        lagMessages: messages,
        behindMs: oldestMs === undefined ? 0 : Math.max(0, at - oldestMs),
        ...(committedMs === undefined ? {} : { lastCommit: new Date(committedMs).toISOString() }),
      };
      return jsonReply(answer);
    },
  };
}
