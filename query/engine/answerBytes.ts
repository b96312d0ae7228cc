import { createReadStream } from 'node:fs';
import type { AnswerFormat } from '../formats/formats.ts';
import type { FileAnswer } from './query.ts';

/**
 * Bytes of an answer. The end, or the caller's leave, removes its file.
 *
 * JSON becomes an object. `told` and `truncated` come first, and the numbers of rows, the snapshot and the time come
 * last.
 * @throws Error from a piece, if the file has another length than was written: the sent bytes are then no answer
 */
export function answerBytes(
  answer: FileAnswer,
  format: AnswerFormat,
  told: Readonly<Record<string, string>> = {},
): { length: number; pieces: AsyncGenerator<string | Uint8Array> } {
  const { rowCount, truncated, botsLeftOut, snapshot, elapsedMs, bytes } = answer;
  const before = format === 'json' ? `${JSON.stringify({ ...told, truncated }).slice(0, -1)},` : '';
  const after = format === 'json' ? `,${JSON.stringify({ rowCount, botsLeftOut, snapshot, elapsedMs }).slice(1)}` : '';
  const length = bytes + Buffer.byteLength(before) + Buffer.byteLength(after);
  return { length, pieces: pieces(answer, before, after) };
}

async function* pieces(answer: FileAnswer, before: string, after: string): AsyncGenerator<string | Uint8Array> {
  const { file, bytes } = answer;
  try {
    if (before !== '') yield before;
    let read = 0;
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      read += chunk.length;
      yield chunk;
    }
    if (read !== bytes) throw new Error(`the file of an answer has ${read} bytes, where ${bytes} were written`);
    if (after !== '') yield after;
  } finally {
    await answer.remove();
  }
}
