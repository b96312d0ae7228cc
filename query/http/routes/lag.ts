import type { NatsConnection } from '../../../stream/nats.ts';
import { readTenantShard } from '../../../stream/shardStatus.ts';
import { StreamUnavailableError } from '../../../stream/errors.ts';
import { jsonReply, type Route } from '../route.ts';

/** The answer of `GET /api/lag`: how far the lake is behind what was acknowledged, for the shard the tenant is in. */
export interface LagAnswer {
  /** When it was asked, in milliseconds since 1970. */
  at: number;
  shard: number;
  /** Messages, each of many events, that are acknowledged and not committed yet. */
  lagMessages: number;
  /** Age of the oldest of them; 0 where there is none, absent where it cannot be told. */
  behindMs?: number;
  /** When the shard's processor last committed something, ISO 8601. */
  lastCommit?: string;
}

/** `GET /api/lag` */
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
