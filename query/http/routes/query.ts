import { readJsonObject } from '../jsonBody.ts';
import type { ReaderCall, Route } from '../route.ts';
import { acceptedFormat } from './answerFields.ts';
import { answerReply, type Answering } from './answerReply.ts';
import { checkQueryBody } from './queryBody.ts';
import { RUN_QUERY } from '../contract/readOperations.ts';

/**
 * `POST /api/query`: one SQL statement over the reader's tenant.
 *
 * When the caller leaves, the query stops.
 */
export function queryRoute(answering: Answering): Route {
  return {
    ...RUN_QUERY,
    async handle(call: ReaderCall) {
      const { request, query, reader, signal } = call;
      const body = checkQueryBody(await readJsonObject(call), query);
      const format = body.format ?? acceptedFormat(request.headers.accept);
      return answerReply(answering, { ...body, ...reader, format, signal });
    },
  };
}
