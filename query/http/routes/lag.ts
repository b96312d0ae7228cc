import type { NatsConnection } from '../../../stream/nats.ts';
import { readTenantShard } from '../../../stream/shardStatus.ts';
import { StreamUnavailableError } from '../../../stream/errors.ts';
import { jsonReply, type Route } from '../route.ts';

/** The answer of `GET /api/lag`: backlog of the tenant's shard. */
export interface LagAnswer {
  /** Time of the answer, in milliseconds since 1970. */
  at: number;
  shard: number;
  /** Acknowledged messages that are not committed yet; each holds many events. */
  lagMessages: number;
  /** Age of the oldest uncommitted message; 0 without a backlog, absent if unknown. */
  behindMs?: number;
  /** Time of the shard's last commit, ISO 8601. */
  lastCommit?: string;
}

/** `GET /api/lag`: backlog of the tenant's shard. */
export function lagRoute(connection: () => NatsConnection | undefined): Route {
  return {
    method: 'GET',
    path: '/api/lag',
    access: 'reader',
    parameters: [],
    async handle({ reader: { tenantId } }) {
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
