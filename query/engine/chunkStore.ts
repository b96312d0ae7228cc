import type { LocalFiles } from '../../lake/files/localFiles.ts';
import { literal } from '../../lake/duckdb/sqlText.ts';
import type { Json } from '../formats/values.ts';
import { ORDER_TYPES } from '../insight/stages.ts';
import { chooseChunks, keyOf, chunkPartsOf, tailName, type Chunk, type DaySpan } from './chunks.ts';
import { holdAll, type HeldFile, type ScratchFiles } from './scratchFiles.ts';
import { fileGroups, type TableSource } from './sources.ts';
import type { ViewCatalog } from './views.ts';

/** Chunks with the rows of a source, held until they are released. */
export interface HeldChunks {
  /** All rows of the days, as `events_with_bots` has them, maybe with rows of other days. */
  rows: readonly HeldFile[];
  /** Rows about orders, of all days; none if they are not wanted. */
  orders: readonly HeldFile[];
  /** What the rows about orders depend on. */
  ordersKey: string;
}

/** Runs statements that read and write these files. @returns the rows of each */
export type BuildScratch = (job: { statements: readonly string[]; files: readonly string[] }) => Promise<Json[][][]>;

export interface ChunkStore {
  /** @throws LakeError those of a build and of the source's files */
  hold(source: TableSource, options: { days: DaySpan; wantsOrders: boolean; build: BuildScratch }): Promise<HeldChunks>;
}

interface ChunkContext {
  source: TableSource;
  build: BuildScratch;
}

const OF_ORDERS = `type IN (${ORDER_TYPES.map(literal).join(', ')})`;
/** Small row groups: DuckDB holds one with all its columns in memory. */
const EPHEMERAL = 'FORMAT parquet, COMPRESSION uncompressed, ROW_GROUP_SIZE 20480';

/** The text of a COPY into a scratch file. */
export function copyTo(path: string, sql: string): string {
  return `COPY (${sql}) TO ${literal(path)} (${EPHEMERAL})`;
}

/** The rows of scratch files as a relation. */
export function scratchRows(files: readonly { path: string }[]): string {
  return `read_parquet([${files.map(({ path }) => literal(path)).join(', ')}], hive_partitioning = false)`;
}

/**
 * Creates a store of chunks.
 *
 * A row in a chunk has been tested for bots, and lies in one of few files. After a commit only the added data files
 * become a new chunk.
 */
export function createChunkStore(options: {
  scratch: ScratchFiles;
  catalog: ViewCatalog;
  localFiles: LocalFiles;
}): ChunkStore {
  const { scratch, catalog, localFiles } = options;
  /** Chunks by kind and table. */
  const known = new Map<string, Map<string, Chunk>>();

  const knownOf = (kind: string, base: string): Map<string, Chunk> => {
    const name = `${kind} ${base}`;
    const chunks = known.get(name) ?? new Map<string, Chunk>();
    for (const key of chunks.keys()) if (!scratch.has(key)) chunks.delete(key);
    known.set(name, chunks);
    return chunks;
  };

  /** Copies the rows of data files and the live tail. */
  const copyParts = async ({ source, build }: ChunkContext, parts: readonly string[], path: string, where = 'true') => {
    const wanted = new Set(parts);
    const files = source.files.filter((file) => wanted.has(file.path));
    const { root, columns, sharedIds, tail } = source;
    const tailPaths = wanted.has(tailName(source) ?? '') ? tail!.files.map(({ localFile }) => localFile) : [];
    const lease = await localFiles.lease(root, files);
    try {
      const groups = fileGroups(files, lease.paths);
      const fresh = { paths: tailPaths, above: tail?.above ?? 0 };
      const rows = catalog.flaggedEvents({ columns, groups, sharedIds, tail: fresh });
      const copy = copyTo(path, `SELECT * FROM (${rows}) WHERE ${where}`);
      const statements = [...catalog.macros(copy, { sharedIds }), copy];
      const built = await build({ statements, files: [...lease.paths.values(), ...tailPaths, path] });
      return built.at(-1)!;
    } finally {
      await lease.release();
    }
  };

  /** Copies the rows about orders from a chunk with all rows. */
  const copyOrders = async (rows: Promise<HeldFile>, path: string, build: BuildScratch): Promise<Json[][]> => {
    const from = await rows;
    const copy = copyTo(path, `SELECT * FROM ${scratchRows([from])} WHERE ${OF_ORDERS}`);
    const [made] = await build({ statements: [copy], files: [from.path, path] });
    return made!;
  };

  /** Holds known chunks and makes the missing ones; without an await, so that callers at once make them once. */
  const holdKind = (kind: string, context: ChunkContext, wanted: readonly string[]) => {
    const { source } = context;
    const base = keyOf([source.root, source.columns, source.sharedIds]);
    const readable = new Set(chunkPartsOf(source, undefined).names);
    const chunks = knownOf(kind, base);
    const chosen = chooseChunks(chunks.values(), { wanted, readable });
    const held = chosen.chunks.map((chunk) => ({ chunk, file: scratch.hold(chunk.key, '', neverMade) }));
    const make = (parts: readonly string[], write: (path: string) => Promise<Json[][]>): void => {
      const chunk = { key: keyOf([kind, base, parts]), parts };
      const path = scratch.newPath();
      held.push({ chunk, file: scratch.hold(chunk.key, path, () => write(path)) });
      chunks.set(chunk.key, chunk);
    };
    /** Makes chunks of data files. The live tail is one of its own, because it changes often. */
    const makeParts = (rest: readonly string[], where?: string): void => {
      const tail = tailName(source);
      const groups = [rest.filter((part) => part !== tail), rest.filter((part) => part === tail)];
      for (const [index, parts] of groups.entries())
        if (parts.length > 0 || (index === 0 && held.length === 0 && rest.length === 0))
          make(parts, (path) => copyParts(context, parts, path, where));
    };
    return { held, rest: chosen.rest, make, makeParts };
  };

  return {
    hold: async (source, { days, wantsOrders, build }) => {
      const context = { source, build };
      const rows = holdKind('rows', context, chunkPartsOf(source, days).names);
      rows.makeParts(rows.rest);
      const all = wantsOrders ? chunkPartsOf(source, undefined).names : [];
      const orders = holdKind('orders', context, all);
      if (wantsOrders) {
        const missing = new Set(orders.rest);
        for (const { chunk, file } of rows.held) {
          if (chunk.parts.length === 0 || !chunk.parts.every((part) => missing.has(part))) continue;
          orders.make(chunk.parts, (path) => copyOrders(file, path, build));
          chunk.parts.forEach((part) => missing.delete(part));
        }
        orders.makeParts([...missing], OF_ORDERS);
      }
      const files = await holdAll([...rows.held, ...orders.held].map(({ file }) => file));
      const ordersFiles = files.slice(rows.held.length);
      const filled = orders.held.filter((_, index) => Number(ordersFiles[index]!.facts[0]?.[0] ?? 0) > 0);
      return {
        rows: files.slice(0, rows.held.length),
        orders: ordersFiles,
        ordersKey: keyOf(filled.map(({ chunk }) => chunk.key).sort()),
      };
    },
  };
}

function neverMade(): never {
  throw new Error('a chunk is known, but its file is not');
}
