import { createHash, randomBytes } from 'node:crypto';
import { ID_WORDS, IdSet } from './idSet.ts';
import { filesThatMayHold, mayHold, type IdFile } from './plan.ts';
import { HOUR_MS } from '../../runtime/units.ts';

/** Event ids of consecutive lines, which came together. */
export interface IdRun {
  tenantId: string;
  /** Index of the first id of the run among all. */
  first: number;
  count: number;
}

export interface IdsToJudge {
  /** All ids, 16 bytes each. */
  ids: Uint8Array;
  /** Each id is in one of them; in stream order. */
  runs: readonly IdRun[];
  /** Whether every id is a UUID; otherwise file bounds say nothing. */
  allUuids: boolean;
  /** When the first and last of them were received, in milliseconds since 1970. */
  receivedMs: { min: number; max: number };
  /** When the first of each tenant's redriven events was received: resends are looked for from a window before that on. */
  redrivenMs?: ReadonlyMap<string, number>;
}

/** The lake's side: what is stored of a tenant's ids. */
export interface StoredIds {
  /** The tenant's live data files. */
  files(tenantId: string): Promise<IdFile[]>;
  /** Every id in these files received at or after a time, by hour since 1970. */
  read(tenantId: string, files: readonly IdFile[], sinceMs: number): Promise<{ hour: number; hex: string }[]>;
  /** Those of the tenant's ids being judged that are in these files, received at or after a time. */
  find(tenantId: string, files: readonly IdFile[], sinceMs: number): Promise<string>;
}

export interface DuplicatesOptions {
  /** Memory for ids, in bytes. */
  maxBytes: number;
  /** How long after the first receipt a resend is recognised, in milliseconds. */
  windowMs: number;
}

interface HourOfIds {
  ids: Uint32Array;
  /** Since 1970. */
  hour: number;
}

/** The ids that a window has added. */
export type JudgedIds = readonly HourOfIds[];

interface TenantState {
  salt: Uint32Array;
  /** Files whose ids are not in memory; undefined: to be listed. */
  unread: IdFile[] | undefined;
  /** Of the files to be listed, those that hold something received before this are not in memory. */
  listBeforeMs: number;
}

const HEX_DIGITS = 32;
const ID_BYTES = 16;
/** Ids taken into memory at once while judging. */
const READ_AT_ONCE = 2_000_000;

/**
 * Recognises resends: an event id that its tenant had stored within the window, whatever became of date and segment.
 *
 * The ids of what this owner commits are kept in memory, exact, 23 to 45 bytes each; the lake itself is the rest of the
 * state. For every other file of the window only its bounds are known, from the log. An id within the bounds of such a
 * file makes its ids be read into memory, once, and one that finds no room is looked up in the file instead. After a
 * takeover, ids that carry their time cost the reading of the newest files; random ids that of all files of the window.
 * When memory is full, the oldest hours are forgotten and their files stand with their bounds again: that costs nothing
 * for ids that carry their time, and a look into every forgotten file at each flush for random ones.
 */
export class Duplicates {
  readonly #options: DuplicatesOptions;
  readonly #known = new IdSet();
  readonly #tenants = new Map<string, TenantState>();
  readonly #secret = randomBytes(16);
  /** Ids that the window being judged has added. */
  #pending: HourOfIds[] = [];
  /** Of windows that are judged and not committed yet: no file of the lake has them, memory must. */
  readonly #uncommitted = new Set<JudgedIds>();
  #hours = new Map<number, number>();
  #seldom = true;

  constructor(options: DuplicatesOptions) {
    this.#options = options;
  }

  /** Whether the last ids to be judged had none among them. */
  get lastWindowHadNoDuplicates(): boolean {
    return this.#seldom;
  }

  /** Bytes held in memory. */
  get bytes(): number {
    return this.#known.bytes;
  }

  /** Begins the judging of a window, forgetting an attempt that was not committed. */
  begin(): void {
    for (const { ids } of this.#pending) {
      for (let at = 0; at < ids.length; at += ID_WORDS) this.#known.takeBack(ids, at);
    }
    this.#pending = [];
  }

  /** Indexes of the ids that were stored before or came earlier in this window, ascending. */
  async judge(batch: IdsToJudge, stored: StoredIds): Promise<number[]> {
    const sinceMs = batch.receivedMs.min - this.#options.windowMs;
    const hour = Math.floor(batch.receivedMs.max / HOUR_MS);
    this.#expire(Math.floor(sinceMs / HOUR_MS));
    const ids = wordsOf(batch.ids);
    for (const { tenantId, first, count } of batch.runs) {
      const { salt } = this.#tenant(tenantId);
      for (let at = first * ID_WORDS; at < (first + count) * ID_WORDS; at++) ids[at]! ^= salt[at % ID_WORDS]!;
    }
    const found = await this.#consult(batch, stored, sinceMs);
    const duplicates: number[] = [];
    const added = new Uint32Array(ids.length);
    let end = 0;
    for (const { first, count } of batch.runs) {
      for (let at = first * ID_WORDS; at < (first + count) * ID_WORDS; at += ID_WORDS) {
        if ((found && found.has(ids, at)) || !this.#known.add(ids, at, hour)) {
          duplicates.push(at / ID_WORDS);
          continue;
        }
        for (let word = 0; word < ID_WORDS; word++) added[end++] = ids[at + word]!;
      }
    }
    this.#pending.push({ ids: added.subarray(0, end), hour });
    this.#seldom = duplicates.length === 0;
    return duplicates.sort((a, b) => a - b);
  }

  /** The window is judged: the next one may begin, and is told its ids from now on. */
  judged(): JudgedIds {
    const judged = this.#pending;
    this.#pending = [];
    this.#uncommitted.add(judged);
    return judged;
  }

  /** A window that was judged is committed: from now on its ids may be forgotten, as the lake has them. */
  commit(judged: JudgedIds = this.judged()): void {
    this.#uncommitted.delete(judged);
    for (const { ids, hour } of judged) this.#count(hour, ids.length / ID_WORDS);
    if (this.#known.bytes > this.#options.maxBytes) this.#forgetOldest();
  }

  /** Reads or looks into the files that may hold one of the ids; returns ids found that did not fit into memory. */
  async #consult(batch: IdsToJudge, stored: StoredIds, sinceMs: number): Promise<IdSet | undefined> {
    let found: IdSet | undefined;
    for (const [tenantId, runs] of Map.groupBy(batch.runs, (run) => run.tenantId)) {
      const tenant = this.#tenant(tenantId);
      const listed =
        tenant.unread ?? (await stored.files(tenantId)).filter((file) => file.minReceivedMs < tenant.listBeforeMs);
      tenant.unread = listed.filter((file) => file.maxReceivedMs >= sinceMs);
      const wanted = filesToRead(batch, runs, tenant.unread, sinceMs);
      try {
        for (const files of groups(wanted))
          await this.#look(tenantId, { files, sinceMs, stored, found: (found ??= new IdSet()) });
      } catch (error) {
        // A file may have been compacted and removed since it was listed: the next attempt lists anew.
        tenant.unread = undefined;
        tenant.listBeforeMs = Infinity;
        throw error;
      }
      const redrivenMs = batch.redrivenMs?.get(tenantId);
      if (redrivenMs === undefined) continue;
      const earlier = { fromMs: redrivenMs - this.#options.windowMs, toMs: sinceMs + HOUR_MS };
      addAll((found ??= new IdSet()), await this.#findEarlier(batch, runs, stored, earlier), 1);
    }
    return found;
  }

  /**
   * What was redriven may have been received, and stored, long before the times that memory and the unread files cover:
   * those of the ids that are in files of that time.
   */
  async #findEarlier(
    batch: IdsToJudge,
    runs: readonly IdRun[],
    stored: StoredIds,
    { fromMs, toMs }: { fromMs: number; toMs: number },
  ): Promise<Uint32Array> {
    const { tenantId } = runs[0]!;
    const files = (await stored.files(tenantId)).filter(
      ({ minReceivedMs, maxReceivedMs }) => maxReceivedMs >= fromMs && minReceivedMs < toMs,
    );
    const wanted = filesToRead(batch, runs, files, fromMs);
    const hex = wanted.length === 0 ? '' : await stored.find(tenantId, wanted, fromMs);
    return salted(toWords(hex), this.#tenant(tenantId).salt);
  }

  /** Takes the ids of files into memory, or where there is no room, finds those of the judged ids that are in them. */
  async #look(
    tenantId: string,
    at: { files: IdFile[]; sinceMs: number; stored: StoredIds; found: IdSet },
  ): Promise<void> {
    const { files, sinceMs, stored, found } = at;
    const tenant = this.#tenant(tenantId);
    const rows = files.reduce((sum, file) => sum + file.rows, 0);
    if (this.#known.bytes + rows * BYTES_PER_ID > this.#options.maxBytes) {
      addAll(found, salted(toWords(await stored.find(tenantId, files, sinceMs)), tenant.salt), 1);
      return;
    }
    for (const { hour, hex } of await stored.read(tenantId, files, sinceMs)) {
      this.#remember(salted(toWords(hex), tenant.salt), hour);
    }
    const read = new Set(files);
    tenant.unread = tenant.unread?.filter((file) => !read.has(file));
  }

  #tenant(tenantId: string): TenantState {
    const known = this.#tenants.get(tenantId);
    if (known) return known;
    // One set serves all tenants: a secret of this process mixed into the ids keeps tenants from meeting, or from being
    // made to meet by ids chosen for it.
    const digest = createHash('sha256').update(this.#secret).update(tenantId).digest();
    const salt = Uint32Array.from({ length: ID_WORDS }, (_, word) => digest.readUInt32LE(word * 4));
    const state = { salt, unread: undefined, listBeforeMs: Infinity };
    this.#tenants.set(tenantId, state);
    return state;
  }

  #expire(beforeHour: number): void {
    this.#known.forget(beforeHour);
    for (const hour of this.#hours.keys()) if (hour < beforeHour) this.#hours.delete(hour);
  }

  #remember(ids: Uint32Array, hour: number): void {
    this.#count(hour, addAll(this.#known, ids, hour));
  }

  #count(hour: number, ids: number): void {
    this.#hours.set(hour, (this.#hours.get(hour) ?? 0) + ids);
  }

  /** Gives up whole hours, oldest first, until a quarter of the memory is free. */
  #forgetOldest(): void {
    let left = [...this.#hours.values()].reduce((sum, count) => sum + count, 0);
    const target = (left * 0.75 * this.#options.maxBytes) / this.#known.bytes;
    let boundary = 0;
    for (const hour of [...this.#hours.keys()].sort((a, b) => a - b)) {
      if (left <= target) break;
      left -= this.#hours.get(hour)!;
      this.#hours.delete(hour);
      boundary = hour + 1;
    }
    this.#known.forget(boundary);
    this.#known.compact();
    for (const judged of this.#uncommitted) for (const { ids, hour } of judged) addAll(this.#known, ids, hour);
    for (const { ids, hour } of this.#pending) addAll(this.#known, ids, hour);
    for (const tenant of this.#tenants.values()) {
      // Where files had not been read, what they hold is not in memory either, however new.
      const newest = (tenant.unread ?? []).reduce(
        (ms, file) => Math.max(ms, file.maxReceivedMs + 1),
        boundary * HOUR_MS,
      );
      tenant.listBeforeMs = tenant.unread ? newest : Math.max(tenant.listBeforeMs, newest);
      tenant.unread = undefined;
    }
  }
}

const BYTES_PER_ID = 45;

function addAll(set: IdSet, ids: Uint32Array, hour: number): number {
  let added = 0;
  for (let at = 0; at < ids.length; at += ID_WORDS) if (set.add(ids, at, hour)) added++;
  return added;
}

/** 32 hexadecimal digits an id to four words each. */
function toWords(hex: string): Uint32Array {
  const bytes = Buffer.from(hex, 'hex');
  if (bytes.length * 2 !== hex.length) throw new Error('ids are not 32 hex digits each');
  return wordsOf(bytes);
}

/** A copy of ids as words. */
function wordsOf(bytes: Uint8Array): Uint32Array {
  if (bytes.length % ID_BYTES !== 0) throw new Error('ids are not 16 bytes each');
  const words = new Uint32Array(bytes.length / 4);
  new Uint8Array(words.buffer).set(bytes);
  return words;
}

function salted(ids: Uint32Array, salt: Uint32Array): Uint32Array {
  return ids.map((word, at) => word ^ salt[at % ID_WORDS]!);
}

/** A run's ids as UUIDs with hyphens. */
function texts(ids: Uint8Array, { first, count }: IdRun): string[] {
  const hex = Buffer.from(ids.buffer, ids.byteOffset + first * ID_BYTES, count * ID_BYTES).toString('hex');
  return Array.from({ length: count }, (_, index) => {
    const id = hex.slice(index * HEX_DIGITS, (index + 1) * HEX_DIGITS);
    return `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`;
  });
}

/** The unread files that may hold one of a tenant's ids. */
function filesToRead(
  batch: IdsToJudge,
  runs: readonly IdRun[],
  unread: readonly IdFile[],
  sinceMs: number,
): readonly IdFile[] {
  if (unread.length === 0 || !batch.allUuids) return unread;
  const ids = runs.flatMap((run) => texts(batch.ids, run));
  let min = ids[0]!;
  let max = min;
  for (const id of ids) {
    if (id < min) min = id;
    else if (id > max) max = id;
  }
  // Mostly no file is near: that is seen without sorting.
  const near = unread.filter(
    ({ minId, maxId }) =>
      minId === undefined || maxId === undefined || (minId <= max && (min < minId || mayHold(min, minId, maxId))),
  );
  return near.length === 0 ? near : filesThatMayHold(ids.sort(), near, sinceMs);
}

/** Files in groups of at most so many rows, each at least one file. */
function groups(files: readonly IdFile[]): IdFile[][] {
  const result: IdFile[][] = [];
  let rows = Infinity;
  for (const file of files) {
    if (rows + file.rows > READ_AT_ONCE) {
      result.push([]);
      rows = 0;
    }
    result.at(-1)!.push(file);
    rows += file.rows;
  }
  return result;
}
