import { LakeError } from '../errors.ts';

export interface StoredObject {
  path: string;
  /** Bytes. */
  size: number;
  modified: Date;
}

/**
 * Store of a lake's immutable objects.
 * Paths are relative to the lake's root, of printable ASCII with `/`. No object is overwritten, so readers may cache objects.
 * Every method throws LakeError: `storage_unavailable` if the store does not answer, `storage_path_invalid` for a path outside
 * the root.
 */
export interface Storage {
  /** For messages; without secrets. */
  readonly url: string;
  /** Read an object; undefined if it does not exist. */
  get(path: string): Promise<Uint8Array | undefined>;
  /**
   * Create an object atomically: of several callers exactly one gets true.
   * True means durable. False means that an object of the name exists, with any content. If the store stops answering, the
   * method throws, and the object may appear later. Bodies must be unique, so that a caller recognises its own object after
   * an unanswered write.
   */
  putIfAbsent(path: string, body: Uint8Array): Promise<boolean>;
  /**
   * Store a finished local file under a new path; durable when resolved.
   * A repetition with the same content succeeds; other content is `storage_object_exists`. The caller may delete the local
   * file afterwards, but not change it, because it may be hard-linked.
   */
  upload(path: string, localFile: string): Promise<void>;
  /** Write an object into a new local file; false if the object does not exist. */
  download(path: string, localFile: string): Promise<boolean>;
  /** List the objects of a prefix in byte order; `startAfter` is exclusive. */
  list(prefix: string, startAfter?: string): AsyncIterable<StoredObject>;
  /** Name the folders of a prefix that hold objects: `a` and `b` for `events/tenant=`. A request names a thousand. */
  folders(prefix: string): AsyncIterable<string>;
  /** Delete objects; missing ones are no error. */
  delete(paths: readonly string[]): Promise<void>;
  /** Whether an object exists. */
  has(path: string): Promise<boolean>;
  /** The present by the store's own clock, in milliseconds since 1970. Never by this host's (storeClock.ts). */
  now(): Promise<number>;
  /** Absolute path of an object's file in a local folder; undefined in S3. */
  localPath(path: string): string | undefined;
  /** Close connections; no call may follow. */
  close(): void;
}

/** Printable ASCII without space, backslash, and characters of globs and URLs. */
const SAFE = /^[A-Za-z0-9!$&'()+,\-./:;=@_~%]+$/;

/**
 * Check that a path is relative, stays within the root, and has plain characters.
 * @throws LakeError storage_path_invalid
 */
export function checkPath(path: string): string {
  const steps = path.split('/');
  const escapes = steps.some((step) => step === '' || step === '.' || step === '..');
  if (escapes || !SAFE.test(path) || path.length > 900) throw pathError(path);
  return path;
}

/** Check a prefix, which may be empty or end within a name. */
export function checkPrefix(prefix: string): string {
  if (prefix === '') return prefix;
  checkPath(prefix.endsWith('/') ? `${prefix}x` : prefix);
  return prefix;
}

function pathError(path: string): LakeError {
  return new LakeError(
    'storage_path_invalid',
    `${JSON.stringify(path.slice(0, 200))} is not a path within the lake: use relative /-separated names of printable ASCII`,
  );
}
