import { createReadStream } from 'node:fs';
import type { AnswerFormat } from './formats.ts';
import type { FileAnswer } from './query.ts';

/**
 * An answer as it is handed on: its file, which is removed once the pieces are taken or given up. JSON becomes an object, which
 * begins with what is `told` and ends with the number of rows, whether it was cut, the snapshot and the time it took.
 */
export function answerBytes(
  answer: FileAnswer,
  format: AnswerFormat,
  told: Readonly<Record<string, string>> = {},
): { length: number; pieces: AsyncGenerator<string | Uint8Array> } {
  const { rowCount, truncated, snapshot, elapsedMs, bytes } = answer;
  const front = JSON.stringify(told).slice(0, -1);
  const before = format !== 'json' ? '' : front === '{' ? front : `${front},`;
  const after = format === 'json' ? `,${JSON.stringify({ rowCount, truncated, snapshot, elapsedMs }).slice(1)}` : '';
  const length = bytes + Buffer.byteLength(before) + Buffer.byteLength(after);
  return { length, pieces: pieces(answer, before, after) };
}

async function* pieces(answer: FileAnswer, before: string, after: string): AsyncGenerator<string | Uint8Array> {
  try {
    if (before !== '') yield before;
    for await (const chunk of createReadStream(answer.file)) yield chunk as Buffer;
    if (after !== '') yield after;
  } finally {
    await answer.remove();
  }
}
