import { answerBytes } from '../../engine/answerBytes.ts';
import { FORMATS, type AnswerFormat } from '../../formats/formats.ts';
import type { FileAnswer, Queries, QueryRequest } from '../../engine/query.ts';
import type { Slots } from '../../engine/slots.ts';
import type { PendingAnswers } from '../../engine/pendingAnswers.ts';
import type { Reply } from '../route.ts';

/** Shared query engine and bounds of all routes that answer statements. */
export interface Answering {
  queries: Queries;
  slots: Slots;
  unsent: PendingAnswers;
}

/**
 * Answers a statement.
 *
 * The answer is complete on disk before its first byte is sent. So each failure has its status and code, and the answer
 * says first whether it was cut. A slow reader holds neither a slot nor memory of the database.
 * @param told extra facts about the answer, first in JSON, and as headers in other formats
 */
export async function answerReply(
  { queries, slots, unsent }: Answering,
  request: QueryRequest & { tokenId: string; format: AnswerFormat; maxRows?: number | undefined },
  told: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  const release = await slots.acquire(request, request.signal);
  try {
    // Counted from here: a query that waits for its slot holds no answer.
    const sent = unsent.add(request);
    try {
      const answer = await queries.answer(request);
      const remove = async (): Promise<void> => {
        sent();
        await answer.remove();
      };
      return fileReply({ ...answer, remove }, request.format, told);
    } catch (error) {
      sent();
      throw error;
    }
  } finally {
    release();
  }
}

/**
 * Sends an answer's file, then removes it.
 *
 * Formats other than JSON have their facts in headers: `spor-rows`, `spor-truncated`, `spor-bots-left-out`, `spor-snapshot` (JSON), and one
 * `spor-…` for each extra fact.
 */
function fileReply(answer: FileAnswer, format: AnswerFormat, told: Readonly<Record<string, string>>): Reply {
  const { length, pieces } = answerBytes(answer, format, told);
  return {
    headers: {
      'content-type': FORMATS[format],
      'content-length': String(length),
      'spor-rows': String(answer.rowCount),
      'spor-truncated': String(answer.truncated),
      ...(answer.botsLeftOut === undefined ? {} : { 'spor-bots-left-out': String(answer.botsLeftOut) }),
      'spor-snapshot': JSON.stringify(answer.snapshot),
      ...Object.fromEntries(Object.entries(told).map(([name, text]) => [`spor-${name}`, text])),
    },
    body: pieces,
  };
}
