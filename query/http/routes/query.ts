import { readJsonObject } from '../jsonBody.ts';
import type { Route } from '../route.ts';
import { acceptedFormat } from './answerFields.ts';
import { answerReply, type Answering } from './answerReply.ts';
import { checkQueryBody } from './queryBody.ts';

/**
 * `POST /api/query`: one SQL statement over the reader's tenant.
 *
 * When the caller leaves, the query stops.
 */
export function queryRoute(answering: Answering): Route {
  return {
    method: 'POST',
    path: '/api/query',
    access: 'reader',
    parameters: ['snapshot', 'version'],
    async handle(call) {
      const { request, query, reader, signal } = call;
      const body = checkQueryBody(await readJsonObject(call), query);
      const format = body.format ?? acceptedFormat(request.headers.accept);
      return answerReply(answering, { ...body, ...reader, format, signal });
    },
  };
}
