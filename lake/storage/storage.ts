import { LakeError } from '../errors.ts';

export interface StoredObject {
  path: string;
  /** Bytes. */
  size: number;
  modified: Date;
}

/**
 * Where a lake lies. Paths are relative to the lake's root, `/`-separated printable ASCII. Objects are immutable: nothing
 * is ever overwritten, so that readers may cache whatever they have read. Every method throws LakeError
 * `storage_unavailable` when the store does not answer, and `storage_path_invalid` for a path that would escape the root.
 */
export interface Storage {
  /** For messages; holds no secrets. */
  readonly url: string;
  /** The whole object, or undefined where there is none. */
  get(path: string): Promise<Uint8Array | undefined>;
  /**
   * Creates an object, atomically: of several callers exactly one gets true. True means durable; false means that an
   * object is there already, with whatever content. When the outcome cannot be told (the store stopped answering in the
   * middle), it throws, and the object may or may not appear later. The body must be unlike any other caller's: that is
   * how an unanswered write is recognised as one's own.
   */
  putIfAbsent(path: string, body: Uint8Array): Promise<boolean>;
  /**
   * Publishes a finished local file under a new path; durable when resolved. Uploading the same content again is fine, so
   * that it may be retried; other content under the path is `storage_object_exists`. The local file must not be changed
   * afterwards (it may be hard-linked) but may be deleted.
   */
  upload(path: string, localFile: string): Promise<void>;
  /** Writes an object into a local file, which must not exist; false where there is no such object. */
  download(path: string, localFile: string): Promise<boolean>;
  /** All objects whose path begins with the prefix, in byte order of their paths; `startAfter` is exclusive. */
  list(prefix: string, startAfter?: string): AsyncIterable<StoredObject>;
  /** Deletes objects; absent ones are fine. */
  delete(paths: readonly string[]): Promise<void>;
  /** The absolute path of an object's file where it has one (local folder), else undefined (S3). */
  localPath(path: string): string | undefined;
  /** Lets go of connections; nothing may be called afterwards. */
  close(): void;
}

/** Printable ASCII without space, backslash, and the characters that mean something in a glob or a URL. */
const SAFE = /^[A-Za-z0-9!$&'()+,\-./:;=@_~%]+$/;

/**
 * Passes a path through when it stays within the root: relative, no empty, `.` or `..` step, no odd characters.
 * @throws LakeError storage_path_invalid
 */
export function checkPath(path: string): string {
  const steps = path.split('/');
  const escapes = steps.some((step) => step === '' || step === '.' || step === '..');
  if (escapes || !SAFE.test(path) || path.length > 900) throw pathError(path);
  return path;
}

/** As checkPath, for a prefix: it may be empty or end within a name. */
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
