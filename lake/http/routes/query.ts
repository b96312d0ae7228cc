import type { Queries } from '../../query/query.ts';
import type { Slots } from '../../query/slots.ts';
import { readJsonObject } from '../jsonBody.ts';
import { jsonReply, type Route } from '../route.ts';
import { checkQueryBody } from './queryBody.ts';

/** `POST /api/query`: one SQL statement over the reader's tenant. A caller that goes away stops its query. */
export function queryRoute({ queries, slots }: { queries: Queries; slots: Slots }): Route {
  return {
    method: 'POST',
    path: '/api/query',
    access: 'reader',
    async handle({ request, query, reader: { tenantId, segmentIds }, signal }) {
      const body = checkQueryBody(await readJsonObject(request), query);
      const release = await slots.acquire(tenantId, signal);
      try {
        return jsonReply(await queries.run({ ...body, tenantId, segmentIds, signal }));
      } finally {
        release();
      }
    },
  };
}
