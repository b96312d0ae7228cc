import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, rm, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type GetObjectCommandOutput,
} from '@aws-sdk/client-s3';
import { writeNewFile } from '../../runtime/newFile.ts';
import { retry, type Backoff } from '../../runtime/retry.ts';
import { LakeError } from '../errors.ts';
import { explain, isConflict, isNoSuchKey, isRefusedCondition, isTransient } from './s3Errors.ts';
import { checkPath, checkPrefix, type Storage, type StoredObject } from './storage.ts';
import { StoreClock } from './storeClock.ts';

export interface S3Config {
  s3Endpoint: string;
  s3Region: string;
  s3ForcePathStyle: boolean;
  s3Checksums: 'WHEN_REQUIRED' | 'WHEN_SUPPORTED';
  /** Longest wait for the answer to a small request, and for a part of a large one. */
  s3TimeoutMs: number;
  /** Empty: the SDK searches environment, profile and instance role. */
  s3AccessKeyId: string;
  s3SecretAccessKey: string;
}

const BACKOFF: Backoff = { firstMs: 100, maxMs: 2_000, attempts: 6 };
const DELETES_AT_ONCE = 16;
/** Slowest link, in bytes a millisecond: the limit of a large object's time. */
const SLOWEST_BYTES_PER_MS = 512;
/** Largest file that is sent from memory instead of as a stream. */
const BUFFERED_BYTES = 8 * 1024 * 1024;

const nothing = (): void => {};
const SILENT = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** A lake in an existing S3 bucket, below a prefix. */
export function createS3Storage(location: { bucket: string; prefix: string }, config: S3Config): Storage {
  const client = new S3Client({
    region: config.s3Region,
    ...(config.s3Endpoint === '' ? {} : { endpoint: config.s3Endpoint }),
    forcePathStyle: config.s3ForcePathStyle,
    requestChecksumCalculation: config.s3Checksums,
    responseChecksumValidation: config.s3Checksums,
    // All retries are in this file: a conditional PUT must know whether an earlier try may have arrived.
    maxAttempts: 1,
    logger: SILENT, // errors are thrown; the SDK would also write them to the console
    requestHandler: {
      connectionTimeout: 5_000,
      socketTimeout: config.s3TimeoutMs,
      httpAgent: { keepAlive: true },
      httpsAgent: { keepAlive: true },
    },
    ...(config.s3AccessKeyId === ''
      ? {}
      : { credentials: { accessKeyId: config.s3AccessKeyId, secretAccessKey: config.s3SecretAccessKey } }),
  });
  return new S3Storage(client, location, config.s3TimeoutMs);
}

class S3Storage implements Storage {
  readonly url: string;
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #root: string;
  readonly #timeoutMs: number;
  readonly #clock = new StoreClock(() => this.#stamp());

  constructor(client: S3Client, { bucket, prefix }: { bucket: string; prefix: string }, timeoutMs: number) {
    this.#client = client;
    this.#bucket = bucket;
    this.#root = prefix === '' ? '' : `${checkPath(prefix)}/`;
    this.#timeoutMs = timeoutMs;
    this.url = `s3://${bucket}/${prefix}`;
  }

  localPath(): undefined {
    return undefined;
  }

  close(): void {
    this.#client.destroy();
  }

  async get(path: string): Promise<Uint8Array | undefined> {
    return this.#retried(`reading ${path}`, () => this.#read(path, (answer) => answer.Body!.transformToByteArray()));
  }

  async download(path: string, localFile: string): Promise<boolean> {
    const found = await this.#retried(`reading ${path}`, () =>
      this.#read(path, async (answer) => {
        const body = answer.Body as Readable;
        await writeNewFile(localFile, body as AsyncIterable<Uint8Array>);
        const { size } = await stat(localFile);
        if (size === answer.ContentLength) return true;
        await rm(localFile, { force: true });
        throw new Error(`${path} ended after ${size} of ${answer.ContentLength} bytes`);
      }),
    );
    return found ?? false;
  }

  async putIfAbsent(path: string, body: Uint8Array): Promise<boolean> {
    return this.#create(path, body.byteLength, {
      body: () => body,
      isOurs: async () => {
        const stored = await this.get(path);
        return stored !== undefined && Buffer.compare(stored, body) === 0;
      },
    });
  }

  async upload(path: string, localFile: string): Promise<void> {
    const { size } = await stat(localFile);
    const buffered = size <= BUFFERED_BYTES ? await readFile(localFile) : undefined;
    const isOurs = async (): Promise<boolean> => this.#sameContent(path, localFile, size);
    const created = await this.#create(path, size, { body: () => buffered ?? createReadStream(localFile), isOurs });
    if (!created && !(await isOurs())) {
      throw new LakeError('storage_object_exists', `${path} already exists with other content and is not overwritten`);
    }
  }

  async *list(prefix: string, startAfter?: string): AsyncIterable<StoredObject> {
    checkPrefix(prefix);
    let token: string | undefined;
    do {
      const page = await this.#retried(`listing ${prefix}`, () =>
        this.#client.send(
          new ListObjectsV2Command({
            Bucket: this.#bucket,
            Prefix: this.#root + prefix,
            ...(token === undefined ? {} : { ContinuationToken: token }),
            ...(startAfter === undefined ? {} : { StartAfter: this.#root + startAfter }),
          }),
          this.#within(0),
        ),
      );
      for (const { Key, Size, LastModified } of page.Contents ?? []) {
        yield { path: Key!.slice(this.#root.length), size: Size ?? 0, modified: LastModified ?? new Date(0) };
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async *folders(prefix: string): AsyncIterable<string> {
    checkPrefix(prefix);
    const whole = this.#root + prefix;
    let token: string | undefined;
    do {
      const page = await this.#retried(`listing the folders of ${prefix}`, () =>
        this.#client.send(
          new ListObjectsV2Command({
            Bucket: this.#bucket,
            Prefix: whole,
            Delimiter: '/',
            ...(token === undefined ? {} : { ContinuationToken: token }),
          }),
          this.#within(0),
        ),
      );
      for (const { Prefix } of page.CommonPrefixes ?? []) yield Prefix!.slice(whole.length, -1);
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async has(path: string): Promise<boolean> {
    return (await this.#modified(path)) !== undefined;
  }

  now(): Promise<number> {
    return this.#clock.now();
  }

  /** Time that the store gives a new object; the object is deleted again. */
  async #stamp(): Promise<number> {
    const path = `_probe/clock-${randomUUID()}`;
    try {
      await this.putIfAbsent(path, Buffer.from(path));
      const modified = await this.#modified(path);
      if (!modified) throw new LakeError('storage_unavailable', `${this.url}: ${path} was written and is not there`);
      return modified.getTime();
    } finally {
      await this.delete([path]);
    }
  }

  /** `Last-Modified` of an object; undefined if it does not exist. */
  async #modified(path: string): Promise<Date | undefined> {
    return this.#retried(`asking for ${path}`, async () => {
      try {
        const head = new HeadObjectCommand({ Bucket: this.#bucket, Key: this.#key(path) });
        return (await this.#client.send(head, this.#within(0))).LastModified ?? new Date(0);
      } catch (error) {
        if (isNoSuchKey(error)) return undefined;
        throw error;
      }
    });
  }

  /** One request an object: stores disagree about the checksum of the bulk request. */
  async delete(paths: readonly string[]): Promise<void> {
    for (let at = 0; at < paths.length; at += DELETES_AT_ONCE) {
      await Promise.all(
        paths
          .slice(at, at + DELETES_AT_ONCE)
          .map((path) =>
            this.#retried(`deleting ${path}`, () =>
              this.#client.send(
                new DeleteObjectCommand({ Bucket: this.#bucket, Key: this.#key(path) }),
                this.#within(0),
              ),
            ),
          ),
      );
    }
  }

  /**
   * Create an object by a conditional PUT (If-None-Match: *, RFC 9110 §13.1.2).
   * 412 means that the object exists. After an unanswered try it may be our own object, which the content tells. 409 means
   * that another write of the key is in progress, so the PUT is tried again.
   */
  async #create(
    path: string,
    size: number,
    content: { body: () => Uint8Array | Readable; isOurs: () => Promise<boolean> },
  ): Promise<boolean> {
    const key = this.#key(path);
    let unanswered = false;
    return this.#retried(`writing ${path}`, async () => {
      const body = content.body();
      try {
        const put = { Bucket: this.#bucket, Key: key, Body: body, ContentLength: size, IfNoneMatch: '*' };
        await this.#client.send(new PutObjectCommand(put), this.#within(size));
        return true;
      } catch (error) {
        if (isRefusedCondition(error)) return unanswered && (await content.isOurs());
        if (!isConflict(error)) unanswered = true;
        throw error;
      } finally {
        if ('destroy' in body) body.destroy();
      }
    });
  }

  async #sameContent(path: string, localFile: string, size: number): Promise<boolean> {
    const same = await this.#retried(`reading ${path}`, () =>
      this.#read(path, async (answer) => {
        const body = answer.Body as Readable;
        if (answer.ContentLength !== size) {
          body.destroy();
          return false;
        }
        return sameBytes(body, createReadStream(localFile));
      }),
    );
    return same ?? false;
  }

  async #read<T>(path: string, take: (answer: GetObjectCommandOutput) => Promise<T>): Promise<T | undefined> {
    try {
      const get = new GetObjectCommand({ Bucket: this.#bucket, Key: this.#key(path) });
      return await take(await this.#client.send(get, this.#within(0)));
    } catch (error) {
      if (isNoSuchKey(error)) return undefined;
      throw error;
    }
  }

  async #retried<T>(what: string, task: () => Promise<T>): Promise<T> {
    try {
      return await retry(task, BACKOFF, { retryable: isTransient });
    } catch (error) {
      if (error instanceof LakeError) throw error;
      throw new LakeError('storage_unavailable', `${this.url}: ${what} failed: ${explain(error)}`, {
        retryAfterSeconds: 2,
        cause: error,
      });
    }
  }

  #key(path: string): string {
    return this.#root + checkPath(path);
  }

  #within(bytes: number): { abortSignal: AbortSignal } {
    return { abortSignal: AbortSignal.timeout(this.#timeoutMs + Math.ceil(bytes / SLOWEST_BYTES_PER_MS)) };
  }
}

/** Compare two streams of equal length, in constant memory. */
async function sameBytes(a: Readable, b: Readable): Promise<boolean> {
  const chunksB = b[Symbol.asyncIterator]();
  let rest = Buffer.alloc(0);
  try {
    for await (const chunk of a) {
      let left = chunk as Buffer;
      while (left.length > 0) {
        if (rest.length === 0) {
          const next = await chunksB.next();
          if (next.done) return false;
          rest = next.value as Buffer<ArrayBuffer>;
        }
        const length = Math.min(left.length, rest.length);
        if (!left.subarray(0, length).equals(rest.subarray(0, length))) return false;
        left = left.subarray(length);
        rest = rest.subarray(length);
      }
    }
    return rest.length === 0;
  } finally {
    a.destroy();
    b.destroy();
  }
}
