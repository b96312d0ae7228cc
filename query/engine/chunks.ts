import { createHash } from 'node:crypto';
import { inScope } from '../../lake/files/prune.ts';
import { isWithin, type TableSource } from './sources.ts';

/** Rows of several data files in one scratch file. */
export interface Chunk {
  /** Key of the scratch file. */
  key: string;
  /** Names of the parts: data files within the table, or the live tail. */
  parts: readonly string[];
}

/** First and last UTC date, YYYY-MM-DD; undefined: all days. */
export type DaySpan = { from: string; to: string } | undefined;

/** Chunks above which all are made again as one, because each slows every report. */
const MOST_CHUNKS = 8;

/** The parts of a source with rows of some days, and their bytes. */
export function chunkPartsOf(source: TableSource, days: DaySpan): { names: string[]; bytes: number } {
  const scope = { segmentIds: [], ...days };
  const files = source.files.filter(({ partitionValues }) => inScope(partitionValues, scope));
  const tailFiles = source.tail?.files.filter((file) => isWithin(file, scope)) ?? [];
  const bytes = [...files.map(({ size }) => size), ...tailFiles.map((file) => file.bytes)];
  return {
    names: [...files.map(({ path }) => path), ...(tailFiles.length > 0 ? [tailName(source)!] : [])],
    bytes: bytes.reduce((sum, size) => sum + size, 0),
  };
}

/** Name of the live tail as a part; undefined if there is none. */
export function tailName({ tail }: TableSource): string | undefined {
  return tail && `tail ${keyOf(tail.identity)}`;
}

/**
 * Chooses chunks with all wanted parts, each once.
 *
 * A chunk may hold more parts than wanted, but only readable ones. A report of other days leaves their rows out.
 * @returns the chunks to read, and the parts that are in none of them
 */
export function chooseChunks(
  known: Iterable<Chunk>,
  { wanted, readable }: { wanted: readonly string[]; readable: ReadonlySet<string> },
): { chunks: Chunk[]; rest: string[] } {
  const missing = new Set(wanted);
  const taken = new Set<string>();
  const chunks: Chunk[] = [];
  for (const chunk of [...known].sort((a, b) => b.parts.length - a.parts.length)) {
    const fits = chunk.parts.every((part) => readable.has(part) && !taken.has(part));
    if (!fits || !chunk.parts.some((part) => missing.has(part))) continue;
    chunks.push(chunk);
    for (const part of chunk.parts) {
      taken.add(part);
      missing.delete(part);
    }
  }
  return chunks.length >= MOST_CHUNKS ? { chunks: [], rest: [...wanted] } : { chunks, rest: [...missing] };
}

/** A key for what a file depends on. */
export function keyOf(parts: unknown): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64');
}
