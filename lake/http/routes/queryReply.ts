import { createReadStream } from 'node:fs';
import { LakeError } from '../../errors.ts';
import { FORMATS, type AnswerFormat } from '../../query/formats.ts';
import type { FileAnswer } from '../../query/query.ts';
import type { Reply } from '../route.ts';

/** Media types by which a caller may ask for a format; those without parameters. */
const BY_TYPE = new Map(
  Object.entries(FORMATS).map(([format, type]) => [type.split(';')[0]!, format as AnswerFormat] as const),
);

/**
 * The format an `Accept` header asks for: the first one known by descending `q`; JSON where anything is fine or nothing is said.
 * @throws LakeError format_not_acceptable
 */
export function acceptedFormat(header: string | undefined): AnswerFormat {
  const wanted = (header ?? '')
    .split(',')
    .map((part) => {
      const [type = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
      const q = parameters.find((parameter) => parameter.startsWith('q='));
      return { type, q: q === undefined ? 1 : Number(q.slice(2)) };
    })
    .filter(({ type, q }) => type !== '' && q > 0)
    .sort((a, b) => b.q - a.q);
  if (wanted.length === 0) return 'json';
  for (const { type } of wanted) {
    const format = type === '*/*' || type === 'application/*' ? 'json' : BY_TYPE.get(type);
    if (format) return format;
  }
  const types = [...BY_TYPE.keys()].join(', ');
  throw new LakeError('format_not_acceptable', `Accept is "${(header ?? '').slice(0, 80)}"; known are ${types}.`);
}

/**
 * An answer's file as a reply, read as the caller takes it, and removed. What JSON has in its body, the others have in headers:
 * `spor-rows`, `spor-truncated` and `spor-snapshot` (JSON).
 */
export function queryReply(answer: FileAnswer, format: AnswerFormat): Reply {
  const { rowCount, truncated, snapshot, elapsedMs, bytes } = answer;
  const facts = JSON.stringify({ rowCount, truncated, snapshot, elapsedMs });
  const [before, after] = format === 'json' ? ['{', `,${facts.slice(1)}`] : ['', ''];
  return {
    headers: {
      'content-type': FORMATS[format],
      'content-length': String(bytes + Buffer.byteLength(before) + Buffer.byteLength(after)),
      'spor-rows': String(rowCount),
      'spor-truncated': String(truncated),
      'spor-snapshot': JSON.stringify(snapshot),
    },
    body: pieces(answer, before, after),
  };
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
