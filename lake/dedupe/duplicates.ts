import { createHash, randomBytes } from 'node:crypto';
import { ID_WORDS, IdSet, UNKNOWN } from './idSet.ts';
import { filesThatMayHold, mayHold, type IdFile } from './plan.ts';
import { HOUR_MS } from '../../runtime/units.ts';

/** Event ids of consecutive lines of one tenant. */
export interface IdRun {
  tenantId: string;
  /** Index of the run's first id among all ids. */
  first: number;
  count: number;
  /** Fingerprints of the events, in the order of the ids; absent: unknown. */
  contents?: Uint16Array;
}

/** Indexes of ids, ascending. */
export interface Judged {
  /** Stored already, or seen before in the window. */
  duplicates: number[];
  /** Duplicates whose content differs from that of the first, as far as memory has it. */
  differing: number[];
}

export interface IdsToJudge {
  /** All ids, 16 bytes each. */
  ids: Uint8Array;
  /** Runs in stream order; each id is in exactly one of them. */
  runs: readonly IdRun[];
  /** Whether every id is a UUID; otherwise the bounds of files do not help. */
  allUuids: boolean;
  /** First time at which the stream stored one of the messages, in milliseconds since 1970. */
  storedMs: { min: number };
  /** Time of receipt of each tenant's first redriven event; resends count from one window before. */
  redrivenMs?: ReadonlyMap<string, number>;
}

/** The ids that the lake stores of each tenant. */
export interface StoredIds {
  /** The tenant's live data files. */
  files(tenantId: string): Promise<IdFile[]>;
  /** Every id in these files, in hexadecimal digits. */
  read(tenantId: string, files: readonly IdFile[]): Promise<string>;
  /** Judged ids of the tenant in these files. */
  find(tenantId: string, files: readonly IdFile[]): Promise<string>;
}

export interface DuplicatesOptions {
  /** Bound on the memory for ids, in bytes. */
  maxBytes: number;
  /** Time after the first storage in which a resend is surely recognised, in milliseconds. */
  windowMs: number;
  /** A clock that never steps and is not behind, in milliseconds; absent: this host's, going on by monotonic time. */
  now?: () => number;
}

interface HourOfIds {
  ids: Uint32Array;
  /** Fingerprint of each id's event. */
  contents: Uint16Array;
  /** Hours since 1970. */
  hour: number;
}

/** The ids that a window added. */
export type JudgedIds = readonly HourOfIds[];

interface TenantState {
  salt: Uint32Array;
  /** Files whose ids are not in memory; undefined until they are listed. */
  unread: IdFile[] | undefined;
}

const HEX_DIGITS = 32;
const ID_BYTES = 16;
/** Windows before this one whose stamps bound its time: as many wrong ones in a row change nothing. */
const STAMPS_KEPT = 3;
/** Ids loaded into memory at once while judging. */
const READ_AT_ONCE = 2_000_000;

/**
 * Recognises resends: event ids that a tenant stored within the window, in any date or segment.
 *
 * The window goes by the time at which the stream stored a message. A receiver's clock plays no part. A file counts
 * while any of its rows may be that young, so an older copy may be recognised too. The earliest stamp of the last few
 * windows counts, and no later time than this process's clock, which never steps. If time goes back, the files that
 * were left out meanwhile count again. So a stamp years ahead forgets nothing, and one years behind costs reads.
 *
 * Ids of this owner's commits are in memory, exact (docs/performance.md, "Memory"). The lake holds the rest of the
 * state. Other files of the window are known by their bounds in the log. An id within a file's bounds loads all ids of
 * that file once. If they find no room, the file is searched instead.
 *
 * After a takeover, ids that carry their time cost one read of the newest files. Random ids cost a read of every file
 * in the window. When memory is full, the oldest hours are evicted, and their files count by bounds again. That is free
 * for ids with a time. For random ids each flush then searches every evicted file.
 */
export class Duplicates {
  readonly #options: DuplicatesOptions;
  readonly #known = new IdSet();
  readonly #tenants = new Map<string, TenantState>();
  readonly #secret = randomBytes(16);
  /** Ids that the current window added. */
  #pending: HourOfIds[] = [];
  /** Windows that are judged and not committed: only memory has their ids. */
  readonly #uncommitted = new Set<JudgedIds>();
  #hours = new Map<number, number>();
  #seldom = true;
  /** Stamps of the last windows, and of the one under way. */
  #stamps: number[] = [];
  #judgingMs = Infinity;
  /** Hour before which files are left out and ids may be dropped. */
  #expiredHour = -Infinity;
  readonly #now: () => number;

  constructor(options: DuplicatesOptions) {
    this.#options = options;
    this.#now = options.now ?? steadyClock(Date.now());
  }

  /** Whether the last judged window had no duplicates. */
  get lastWindowHadNoDuplicates(): boolean {
    return this.#seldom;
  }

  /** Bytes of memory in use. */
  get bytes(): number {
    return this.#known.bytes;
  }

  /** Begins to judge a window, without the ids of a failed attempt. */
  begin(): void {
    for (const { ids } of this.#pending) {
      for (let at = 0; at < ids.length; at += ID_WORDS) this.#known.takeBack(ids, at);
    }
    this.#pending = [];
  }

  /** Finds ids that are stored already, or were seen before in this window. */
  async judge(batch: IdsToJudge, stored: StoredIds): Promise<Judged> {
    const nowMs = this.#now();
    this.#judgingMs = batch.storedMs.min;
    const sinceMs = Math.min(this.#judgingMs, nowMs, ...this.#stamps) - this.#options.windowMs;
    const hour = Math.floor(nowMs / HOUR_MS);
    this.#expire(Math.floor(sinceMs / HOUR_MS));
    const ids = wordsOf(batch.ids);
    for (const { tenantId, first, count } of batch.runs) {
      const { salt } = this.#tenant(tenantId);
      for (let at = first * ID_WORDS; at < (first + count) * ID_WORDS; at++) ids[at]! ^= salt[at % ID_WORDS]!;
    }
    const found = await this.#consult(batch, stored, sinceMs);
    const duplicates: number[] = [];
    const differing: number[] = [];
    const added = { ids: new Uint32Array(ids.length), contents: new Uint16Array(ids.length / ID_WORDS) };
    let end = 0;
    for (const { first, count, contents } of batch.runs) {
      for (let index = first; index < first + count; index++) {
        const at = index * ID_WORDS;
        const content = contents?.[index - first] ?? UNKNOWN;
        if ((found && found.has(ids, at)) || !this.#known.add(ids, at, hour, content)) {
          duplicates.push(index);
          if (this.#differs(ids, at, content)) differing.push(index);
          continue;
        }
        added.contents[end / ID_WORDS] = content;
        for (let word = 0; word < ID_WORDS; word++) added.ids[end++] = ids[at + word]!;
      }
    }
    const judged = { ids: added.ids.subarray(0, end), contents: added.contents.subarray(0, end / ID_WORDS), hour };
    this.#pending.push(judged);
    this.#seldom = duplicates.length === 0;
    return { duplicates: inOrder(duplicates), differing: inOrder(differing) };
  }

  /** Ends the judging of a window; the next window counts its ids as known. */
  judged(): JudgedIds {
    const judged = this.#pending;
    this.#stamps = [...this.#stamps, this.#judgingMs].slice(-STAMPS_KEPT);
    this.#pending = [];
    this.#uncommitted.add(judged);
    return judged;
  }

  /** Marks a judged window as committed; its ids may be evicted, because the lake has them. */
  commit(judged: JudgedIds = this.judged()): void {
    this.#uncommitted.delete(judged);
    for (const { ids, hour } of judged) this.#count(hour, ids.length / ID_WORDS);
    if (this.#known.bytes > this.#options.maxBytes) this.#forgetOldest();
  }

  /** Whether the first event of a known id had other content; false if memory does not have it. */
  #differs(ids: Uint32Array, at: number, content: number): boolean {
    const first = this.#known.contentOf(ids, at);
    return first !== UNKNOWN && content !== UNKNOWN && first !== content;
  }

  /** Loads or searches the files that may hold an id; returns found ids that memory has no room for. */
  async #consult(batch: IdsToJudge, stored: StoredIds, sinceMs: number): Promise<IdSet | undefined> {
    let found: IdSet | undefined;
    for (const [tenantId, runs] of Map.groupBy(batch.runs, (run) => run.tenantId)) {
      const tenant = this.#tenant(tenantId);
      const listed = tenant.unread ?? (await stored.files(tenantId));
      tenant.unread = listed.filter((file) => file.storedThroughMs >= sinceMs);
      const wanted = filesToRead(batch, runs, tenant.unread);
      try {
        for (const files of groups(wanted))
          await this.#look(tenantId, { files, stored, found: (found ??= new IdSet()) });
      } catch (error) {
        // Compaction may have removed a file since it was listed, so the next attempt lists again.
        tenant.unread = undefined;
        throw error;
      }
      const redrivenMs = batch.redrivenMs?.get(tenantId);
      if (redrivenMs === undefined) continue;
      const earlier = { fromMs: Math.min(redrivenMs, sinceMs) - this.#options.windowMs, toMs: sinceMs };
      addAll((found ??= new IdSet()), await this.#findEarlier(batch, runs, stored, earlier), 1);
    }
    return found;
  }

  /**
   * Finds ids in files older than memory and the unread files cover.
   *
   * A redriven event may have been received, and stored, long before that time.
   */
  async #findEarlier(
    batch: IdsToJudge,
    runs: readonly IdRun[],
    stored: StoredIds,
    { fromMs, toMs }: { fromMs: number; toMs: number },
  ): Promise<Uint32Array> {
    const { tenantId } = runs[0]!;
    const files = (await stored.files(tenantId)).filter(
      ({ storedThroughMs }) => storedThroughMs >= fromMs && storedThroughMs < toMs,
    );
    const wanted = filesToRead(batch, runs, files);
    const hex = wanted.length === 0 ? '' : await stored.find(tenantId, wanted);
    return salted(toWords(hex), this.#tenant(tenantId).salt);
  }

  /** Loads the ids of files into memory; without room, searches the files for the judged ids. */
  async #look(tenantId: string, at: { files: IdFile[]; stored: StoredIds; found: IdSet }): Promise<void> {
    const { files, stored, found } = at;
    const tenant = this.#tenant(tenantId);
    const rows = files.reduce((sum, file) => sum + file.rows, 0);
    if (this.#known.bytes + rows * BYTES_PER_ID > this.#options.maxBytes) {
      addAll(found, salted(toWords(await stored.find(tenantId, files)), tenant.salt), 1);
      return;
    }
    const newestMs = files.reduce((newest, { storedThroughMs }) => Math.max(newest, storedThroughMs), -Infinity);
    const hour = Math.floor(Math.min(newestMs, this.#now()) / HOUR_MS);
    this.#remember(salted(toWords(await stored.read(tenantId, files)), tenant.salt), hour);
    const read = new Set(files);
    tenant.unread = tenant.unread?.filter((file) => !read.has(file));
  }

  #tenant(tenantId: string): TenantState {
    const known = this.#tenants.get(tenantId);
    if (known) return known;
    // All tenants share one set. A secret of this process is mixed into each id, so that ids of two tenants never
    // collide, even if someone chooses them to.
    const digest = createHash('sha256').update(this.#secret).update(tenantId).digest();
    const salt = Uint32Array.from({ length: ID_WORDS }, (_, word) => digest.readUInt32LE(word * 4));
    const state = { salt, unread: undefined };
    this.#tenants.set(tenantId, state);
    return state;
  }

  #expire(beforeHour: number): void {
    if (beforeHour < this.#expiredHour) this.#listAgain();
    this.#expiredHour = beforeHour;
    this.#known.forget(beforeHour);
    for (const hour of this.#hours.keys()) if (hour < beforeHour) this.#hours.delete(hour);
  }

  #remember(ids: Uint32Array, hour: number): void {
    this.#count(hour, addAll(this.#known, ids, hour));
  }

  #count(hour: number, ids: number): void {
    this.#hours.set(hour, (this.#hours.get(hour) ?? 0) + ids);
  }

  /** Evicts the oldest hours until a quarter of the memory is free. */
  #forgetOldest(): void {
    let left = [...this.#hours.values()].reduce((sum, count) => sum + count, 0);
    const target = (0.75 * this.#options.maxBytes) / BYTES_PER_ID;
    let boundary = 0;
    for (const hour of [...this.#hours.keys()].sort((a, b) => a - b)) {
      if (left <= target) break;
      left -= this.#hours.get(hour)!;
      this.#hours.delete(hour);
      boundary = hour + 1;
    }
    this.#known.forget(boundary);
    this.#known.compact();
    this.#known.forget(Math.max(0, this.#expiredHour));
    for (const judged of this.#uncommitted) this.#addAgain(judged);
    this.#addAgain(this.#pending);
    this.#listAgain();
  }

  #addAgain(judged: JudgedIds): void {
    for (const { ids, contents, hour } of judged) addAll(this.#known, ids, hour, contents);
  }

  /** Lets every file in the window count again, whether or not memory has its ids. */
  #listAgain(): void {
    for (const tenant of this.#tenants.values()) tenant.unread = undefined;
  }
}

/** A clock that begins at a time and goes on by monotonic time. */
export function steadyClock(startMs: number): () => number {
  const offsetMs = startMs - performance.now();
  return () => offsetMs + performance.now();
}

/** Most bytes that an id takes, just after its segment was rebuilt. */
const BYTES_PER_ID = 50;

function addAll(set: IdSet, ids: Uint32Array, hour: number, contents?: Uint16Array): number {
  let added = 0;
  for (let at = 0; at < ids.length; at += ID_WORDS)
    if (set.add(ids, at, hour, contents?.[at / ID_WORDS] ?? UNKNOWN)) added++;
  return added;
}

function inOrder(indexes: number[]): number[] {
  return indexes.sort((a, b) => a - b);
}

/** Four words of an id from its 32 hexadecimal digits. */
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
function filesToRead(batch: IdsToJudge, runs: readonly IdRun[], unread: readonly IdFile[]): readonly IdFile[] {
  if (unread.length === 0 || !batch.allUuids) return unread;
  const ids = runs.flatMap((run) => texts(batch.ids, run));
  let min = ids[0]!;
  let max = min;
  for (const id of ids) {
    if (id < min) min = id;
    else if (id > max) max = id;
  }
  // Most ids are near no file, and this check needs no sorting.
  const near = unread.filter(
    ({ minId, maxId }) =>
      minId === undefined || maxId === undefined || (minId <= max && (min < minId || mayHold(min, minId, maxId))),
  );
  return near.length === 0 ? near : filesThatMayHold(ids.sort(), near);
}

/** Groups of at least one file, within a number of rows, the newest first. */
function groups(files: readonly IdFile[]): IdFile[][] {
  const result: IdFile[][] = [];
  let rows = Infinity;
  for (const file of files.toSorted((a, b) => b.storedThroughMs - a.storedThroughMs)) {
    if (rows + file.rows > READ_AT_ONCE) {
      result.push([]);
      rows = 0;
    }
    result.at(-1)!.push(file);
    rows += file.rows;
  }
  return result;
}
