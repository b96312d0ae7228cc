import { asOrigin, keyId, secretHash, type KeyRecord } from '../../schemas/keys.ts';
import { isId } from '../../schemas/subjects.ts';
import type { Logger } from '../../runtime/log.ts';
import type { SecretWatch } from '../../stream/secretStore.ts';
import { Quota } from './quota.ts';

/** A known key with all that a request needs, computed once. */
export interface Key {
  keyId: string;
  tenantId: string;
  segmentId: string;
  kind: KeyRecord['kind'];
  /** Allowed origins in lower case; undefined: all. */
  origins: ReadonlySet<string> | undefined;
  expiresAtMs: number;
  revoked: boolean;
  quota: Quota | undefined;
}

const MAX_SECRET_LENGTH = 200;
const MAX_REMEMBERED_HASHES = 20_000;

/** The current instrumentation keys of the watched bucket. */
export class Keyring {
  readonly #watch: SecretWatch<KeyRecord>;
  readonly #log: Logger;
  readonly #clock: () => number;
  /** Hashes of the secrets of known keys: hashing is the slow part of a look-up. */
  readonly #hashes = new Map<string, string>();
  /** By record, so that a changed record replaces its key. */
  readonly #keys = new WeakMap<KeyRecord, Key | 'unusable'>();
  /** By hash, so that a change of another field does not refill a quota. */
  readonly #quotas = new Map<string, Quota>();

  constructor(watch: SecretWatch<KeyRecord>, options: { log: Logger; clock?: () => number }) {
    this.#watch = watch;
    this.#log = options.log;
    this.#clock = options.clock ?? Date.now;
  }

  get size(): number {
    return this.#watch.size;
  }

  /** Since when the bucket cannot be followed, in milliseconds; undefined while it is followed. */
  get staleSinceMs(): number | undefined {
    return this.#watch.staleSinceMs;
  }

  /** Whether every revocation but the latest is known for certain. */
  get current(): boolean {
    return this.#watch.current;
  }

  /** Waits until the keys are current; false if they cannot be. */
  untilCurrent(): Promise<boolean> {
    return this.#watch.untilCurrent();
  }

  find(secret: string): Key | undefined {
    if (secret.length > MAX_SECRET_LENGTH) return undefined;
    const remembered = this.#hashes.get(secret);
    const hash = remembered ?? secretHash(secret);
    const record = this.#watch.get(hash);
    if (!record) return undefined;
    if (remembered === undefined) {
      if (this.#hashes.size >= MAX_REMEMBERED_HASHES) this.#hashes.clear();
      this.#hashes.set(secret, hash);
    }
    let key = this.#keys.get(record);
    if (key === undefined) {
      key = this.#read(hash, record);
      this.#keys.set(record, key);
    }
    return key === 'unusable' ? undefined : key;
  }

  #read(hash: string, record: KeyRecord): Key | 'unusable' {
    const { tenantId, segmentId, kind, origins, quotaEventsPerSecond } = record;
    // The ids become subjects and folder names, and other tools may have written the record.
    const known = kind === 'browser' || kind === 'server';
    if (
      typeof tenantId !== 'string' ||
      typeof segmentId !== 'string' ||
      !isId(tenantId) ||
      !isId(segmentId) ||
      !known
    ) {
      this.#log.error({ keyId: keyId(hash) }, 'a key record has an invalid tenant, segment or kind and is rejected');
      return 'unusable';
    }
    return {
      keyId: keyId(hash),
      tenantId,
      segmentId,
      kind,
      origins:
        origins?.length > 0 ? new Set(origins.map((origin) => asOrigin(origin) ?? origin.toLowerCase())) : undefined,
      expiresAtMs: record.expiresAt === undefined ? Infinity : Date.parse(record.expiresAt),
      // Revocation does not depend on clocks.
      revoked: record.revokedAt !== undefined,
      quota: this.#quotaOf(hash, quotaEventsPerSecond),
    };
  }

  #quotaOf(hash: string, eventsPerSecond: number | undefined): Quota | undefined {
    if (eventsPerSecond === undefined) {
      this.#quotas.delete(hash);
      return undefined;
    }
    let quota = this.#quotas.get(hash);
    if (quota?.eventsPerSecond !== eventsPerSecond) {
      quota = new Quota(eventsPerSecond, this.#clock());
      this.#quotas.set(hash, quota);
    }
    return quota;
  }
}
