/**
 * How the lake's Parquet files are written, in one place, so that flush and compaction agree.
 *
 * - `zstd` is what the lake holds: zstd level 1 while fresh, level 3 once compacted; row groups of 122,880 rows, which is
 *   DuckDB's unit of parallel reading. Data pages stay version 1 and encodings plain or dictionary, which every reader knows.
 * - What is read for seconds only, by ourselves, is not compressed: a `ephemeral` file.
 * - `legacy` is for the oldest readers (parquetjs-lite and other Parquet 1.0 code): Snappy, and no dictionaries, since
 *   parquetjs-lite takes the numbers of a dictionary for text. It must also be told of decimals, which it has no type for
 *   (`PARQUET_LOGICAL_TYPES.DECIMAL = {primitiveType: 'INT64', fromPrimitive: (x) => x}` gives them times 10,000); both
 *   are shown by test/lake/parquetInterop.test.ts. Files of both profiles may share a table.
 */
export type ParquetProfile = 'zstd' | 'legacy';

export const ROW_GROUP_ROWS = 122_880;
const LEVEL = { fresh: 1, compacted: 3 } as const;

export interface ParquetOptions {
  profile: ParquetProfile;
  /** Fresh files are written fast, compacted ones small; ephemeral ones are no part of the lake. */
  age: 'ephemeral' | 'fresh' | 'compacted';
}

/** The options of DuckDB's COPY that decide the bytes of a file, without parentheses; the caller adds its own. */
export function parquetCopyOptions({ profile, age }: ParquetOptions = { profile: 'zstd', age: 'fresh' }): string {
  return `FORMAT parquet, PARQUET_VERSION v1, ${compressionOf(profile, age)}, ROW_GROUP_SIZE ${ROW_GROUP_ROWS}`;
}

function compressionOf(profile: ParquetProfile, age: ParquetOptions['age']): string {
  if (age === 'ephemeral') return 'COMPRESSION uncompressed';
  if (profile === 'legacy') return 'COMPRESSION snappy, DICTIONARY_SIZE_LIMIT 0';
  return `COMPRESSION zstd, COMPRESSION_LEVEL ${LEVEL[age]}`;
}
