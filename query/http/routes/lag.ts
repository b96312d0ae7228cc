import type { NatsConnection } from '../../../stream/nats.ts';
import { readTenantShard } from '../../../stream/shardStatus.ts';
import { StreamUnavailableError } from '../../../stream/errors.ts';
import { jsonReply, type ReaderCall, type Route } from '../route.ts';
import { GET_LAG } from '../contract/readOperations.ts';
import type { LagAnswer } from '../contract/lagAnswer.ts';

/** `GET /api/lag`: backlog of the tenant's shard. */
export function lagRoute(connection: () => NatsConnection | undefined): Route {
  return {
    ...GET_LAG,
    async handle({ reader: { tenantId } }: ReaderCall) {
      const open = connection();
      if (!open) throw new StreamUnavailableError();
      const at = Date.now();
      const status = await readTenantShard(open, tenantId, at).catch((error: unknown) => {
        throw new StreamUnavailableError(undefined, { cause: error });
      });
      if (!status) throw new StreamUnavailableError('There is no event stream yet: start a receiver.');
      const { shard, lagMessages, behindMs, lastCommit } = status;
      const answer: LagAnswer = {
        at,
        shard,
        lagMessages,
        ...(behindMs === undefined ? {} : { behindMs }),
        ...(lastCommit === undefined ? {} : { lastCommit }),
      };
      return jsonReply(answer);
    },
  };
}
