/**
 * Write profile of the lake's Parquet files, for flush and compaction.
 *
 * - `zstd` is the default: level 1 for fresh files, level 3 for compacted ones. Row groups have 122,880 rows, DuckDB's
 *   unit of parallel reading. Data pages stay version 1 with plain or dictionary encoding, which every reader knows.
 * - `legacy` is for the oldest readers (parquetjs-lite and other Parquet 1.0 code). These files are Snappy without
 *   dictionaries, because parquetjs-lite takes dictionary indexes for text.
 *
 * An `ephemeral` file is read for seconds by Spor alone, and is not compressed. Files of both profiles may share a
 * table.
 *
 * For decimals parquetjs-lite needs a type: `PARQUET_LOGICAL_TYPES.DECIMAL = {primitiveType: 'INT64', fromPrimitive:
 * (x) => x}` gives them times 10,000. test/lake/parquetInterop.test.ts shows this and the dictionary fault.
 */
export type ParquetProfile = 'zstd' | 'legacy';

export const ROW_GROUP_ROWS = 122_880;
const LEVEL = { fresh: 1, compacted: 3 } as const;

export interface ParquetOptions {
  profile: ParquetProfile;
  /** Fresh files are fast to write, compacted ones small. Ephemeral ones stay outside the lake. */
  age: 'ephemeral' | 'fresh' | 'compacted';
}

/** Options of DuckDB's COPY that decide a file's bytes, without parentheses. */
export function parquetCopyOptions({ profile, age }: ParquetOptions = { profile: 'zstd', age: 'fresh' }): string {
  return `FORMAT parquet, PARQUET_VERSION v1, ${compressionOf(profile, age)}, ROW_GROUP_SIZE ${ROW_GROUP_ROWS}`;
}

function compressionOf(profile: ParquetProfile, age: ParquetOptions['age']): string {
  if (age === 'ephemeral') return 'COMPRESSION uncompressed';
  if (profile === 'legacy') return 'COMPRESSION snappy, DICTIONARY_SIZE_LIMIT 0';
  return `COMPRESSION zstd, COMPRESSION_LEVEL ${LEVEL[age]}`;
}
