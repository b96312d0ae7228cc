import type { Queries } from '../../query/query.ts';
import type { Slots } from '../../query/slots.ts';
import type { Unsent } from '../../query/unsent.ts';
import { readJsonObject } from '../jsonBody.ts';
import type { Route } from '../route.ts';
import { checkQueryBody } from './queryBody.ts';
import { acceptedFormat, queryReply } from './queryReply.ts';

/**
 * `POST /api/query`: one SQL statement over the reader's tenant. A caller that goes away stops its query. The answer is complete
 * on disk before its first byte is sent: so every failure has its status and code, it says in front whether it was cut, and a
 * slow reader holds neither a slot nor the database's memory.
 */
export function queryRoute({ queries, slots, unsent }: { queries: Queries; slots: Slots; unsent: Unsent }): Route {
  return {
    method: 'POST',
    path: '/api/query',
    access: 'reader',
    async handle({ request, query, reader: { tenantId, segmentIds }, signal }) {
      const body = checkQueryBody(await readJsonObject(request), query);
      const format = body.format ?? acceptedFormat(request.headers.accept);
      const sent = unsent.add(tenantId);
      try {
        const release = await slots.acquire(tenantId, signal);
        try {
          const answer = await queries.answer({ ...body, format, tenantId, segmentIds, signal });
          const remove = async (): Promise<void> => {
            sent();
            await answer.remove();
          };
          return queryReply({ ...answer, remove }, format);
        } finally {
          release();
        }
      } catch (error) {
        sent();
        throw error;
      }
    },
  };
}
