import { hashOf, type ErasedId, type ErasureList } from '../../lake/erasure/list.ts';
import { readMessageHeader, type BatchHeader } from '../../schemas/envelope.ts';
import type { Source } from '../../stream/message.ts';

/** A message without the events of erased people. */
export interface Remaining {
  data: Uint8Array;
  /** Number of remaining accepted events. */
  events: number;
  /** Number of omitted events, accepted and rejected. */
  leftOut: number;
}

interface Line {
  b: number;
  userId?: unknown;
  anonymousId?: unknown;
}

/**
 * Remove events of erased people, by the rules of a flush (lake/erasure/suppress.ts).
 * Counts in the header are those of the remaining events; positions in a batch stay. A message without such events stays
 * byte for byte.
 * @throws Error if a header or an event is unreadable, so that its person is unknown
 */
export function withoutErased(data: Uint8Array, source: Source, list: ErasureList): Remaining {
  const { header, linesFrom } = readMessageHeader(data);
  const isErased = matcher(source, list);
  const batches = header.batches.map((batch): BatchHeader => {
    const { rejected, ...rest } = batch;
    if (!rejected) return { ...batch, accepted: 0 };
    const kept = rejected.filter(({ raw }) => !wordsOf(raw).some((word) => isErased(word)));
    return { ...rest, accepted: 0, rejected: kept };
  });
  const all = Buffer.from(data.buffer, data.byteOffset, data.length).subarray(linesFrom).toString('utf8');
  const lines: string[] = [];
  let leftOut = refusedOf(header.batches) - refusedOf(batches);
  for (const text of all.split('\n')) {
    if (text === '') continue;
    const event = JSON.parse(text) as Line;
    if (isOfErased(event, isErased)) {
      leftOut++;
      continue;
    }
    lines.push(text);
    const batch = batches[event.b];
    if (!batch) throw new Error(`an event names batch ${event.b} of ${batches.length}`);
    batch.accepted++;
  }
  if (leftOut === 0) return { data, events: lines.length, leftOut };
  const text = [JSON.stringify({ ...header, batches }), ...lines].join('\n');
  return { data: Buffer.from(all.endsWith('\n') ? `${text}\n` : text), events: lines.length, leftOut };
}

/** Test of an id against the list, as one kind or as any. */
type Matcher = (id: string, kind?: ErasedId['kind']) => boolean;

function matcher({ tenantId, segmentId }: Source, { ids }: ErasureList): Matcher {
  const listed = new Set(ids.flatMap(({ kind, hash }) => [hash, `${kind}/${hash}`]));
  return (id, kind) =>
    [hashOf(tenantId, id), hashOf(tenantId, id, segmentId)].some((hash) => listed.has(kind ? `${kind}/${hash}` : hash));
}

function isOfErased({ userId, anonymousId }: Line, isErased: Matcher): boolean {
  const user = textOf(userId);
  const visitor = textOf(anonymousId);
  if (user !== undefined && isErased(user, 'user')) return true;
  if (visitor === undefined) return false;
  return isErased(visitor, 'anonymous') || (user === undefined && isErased(visitor, 'linked'));
}

/** Collect all texts, words and decoded ids of a rejected event. */
function wordsOf(raw: string): string[] {
  return [...quotedTexts(raw), ...(raw.match(/[^\t\n\f\r ",:{}[\]]+/g) ?? []), ...idsOf(raw)];
}

/**
 * Collect the texts in quotes, as the expression `"((?:[^"\\]|\\.)*)"` finds them.
 * The engine of that expression goes back at each quote without an end: 64 KB took 6 s. This loop goes once through the text:
 * a later quote has no end either, if it is within a text without one.
 */
export function quotedTexts(raw: string): string[] {
  const texts: string[] = [];
  let start = raw.indexOf('"');
  while (start >= 0) {
    let at = start + 1;
    while (at < raw.length && raw[at] !== '"') {
      const isEscape = raw[at] === '\\';
      if (isEscape && (at + 1 === raw.length || raw[at + 1] === '\n')) break;
      at += isEscape ? 2 : 1;
    }
    if (raw[at] === '"') texts.push(raw.slice(start + 1, at));
    start = raw.indexOf('"', at + 1);
  }
  return texts;
}

function idsOf(raw: string): string[] {
  try {
    const event = JSON.parse(raw) as Partial<Line> | null;
    return [textOf(event?.userId), textOf(event?.anonymousId)].filter((id) => id !== undefined);
  } catch {
    return [];
  }
}

function textOf(id: unknown): string | undefined {
  return typeof id === 'string' || typeof id === 'number' ? String(id) : undefined;
}

function refusedOf(batches: readonly BatchHeader[]): number {
  return batches.reduce((sum, { rejected }) => sum + (rejected?.length ?? 0), 0);
}
