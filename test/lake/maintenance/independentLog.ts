import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { asyncBufferFromFile, parquetReadObjects, type Compressors } from 'hyparquet';

/** A Delta table's state as the protocol says, read with nothing of ours: hyparquet for Parquet, JSON for the rest. */
export interface IndependentState {
  version: number;
  /** Version of the checkpoint it began with; -1: none. */
  checkpoint: number;
  files: Map<string, Fields>;
  removed: Map<string, Fields>;
  txns: Record<string, number>;
  metaData: Fields | undefined;
  protocol: Fields | undefined;
}

type Fields = Record<string, unknown>;

const COMPRESSORS: Compressors = { ZSTD: (input) => zstdDecompressSync(input) };

/** All rows of a Parquet file. */
export async function readParquet(file: string): Promise<Fields[]> {
  return parquetReadObjects({ file: await asyncBufferFromFile(file), compressors: COMPRESSORS });
}

/** @param folder The table's folder. */
export async function readState(folder: string): Promise<IndependentState> {
  const log = join(folder, '_delta_log');
  const names = (await readdir(log)).sort();
  const checkpoint = Math.max(
    -1,
    ...names.filter((name) => name.endsWith('.checkpoint.parquet')).map((name) => Number(name.slice(0, 20))),
  );
  const state: IndependentState = {
    version: checkpoint,
    checkpoint,
    files: new Map(),
    removed: new Map(),
    txns: {},
    metaData: undefined,
    protocol: undefined,
  };
  if (checkpoint >= 0) {
    const name = `${String(checkpoint).padStart(20, '0')}.checkpoint.parquet`;
    for (const row of await readParquet(join(log, name))) apply(state, row);
  }
  for (const name of names.filter((one) => /^\d{20}\.json$/.test(one))) {
    const version = Number(name.slice(0, 20));
    if (version <= checkpoint) continue;
    if (version !== state.version + 1) throw new Error(`entry ${state.version + 1} is missing before ${version}`);
    state.version = version;
    for (const line of (await readFile(join(log, name), 'utf8')).trimEnd().split('\n'))
      apply(state, JSON.parse(line) as Fields);
  }
  return state;
}

function apply(state: IndependentState, row: Fields): void {
  const actions = Object.entries(row).filter(([, fields]) => fields !== null && fields !== undefined);
  if (actions.length !== 1) throw new Error(`a row with ${actions.length} actions`);
  const [kind, body] = actions[0] as [string, Fields];
  const fields = plain(body) as Fields;
  const path = decodeURIComponent(String(fields.path));
  if (kind === 'add') {
    state.files.set(path, fields);
    state.removed.delete(path);
  }
  if (kind === 'remove') {
    state.removed.set(path, fields);
    state.files.delete(path);
  }
  if (kind === 'txn') state.txns[String(fields.appId)] = Number(fields.version);
  if (kind === 'metaData') state.metaData = fields;
  if (kind === 'protocol') state.protocol = fields;
}

/** Parquet's 64-bit numbers as numbers, and fields that are null left out, as in a log entry. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const present = Object.entries(value).filter(([, one]) => one !== null && one !== undefined);
  return Object.fromEntries(present.map(([key, one]) => [key, plain(one)]));
}
