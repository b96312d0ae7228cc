import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { nkeys } from '@nats-io/transport-node';
import { rightsOf, SERVICE_ROLES, type Role, type RightsScope } from './rights.ts';
import { usersConfig } from './usersConfig.ts';

/** An identity at the stream server. Its seed is in a file of its own, never here. */
export interface NatsIdentity {
  name: string;
  role: Role;
  /** Public nkey, which nats-server knows it by. */
  nkey: string;
  /** ISO 8601. */
  createdAt: string;
  tenantId?: string;
  segmentIds?: string[];
  subjects?: string[];
}

interface Registry {
  /** Number of shard streams that the rights cover. */
  shards: number;
  identities: NatsIdentity[];
}

const REGISTRY = 'identities.json';
/** File for nats-server's `include`. */
export const USERS_FILE = 'users.conf';
const SEED_FILE = 'nkey';
/** Identities that an installation needs. */
const FIRST_ROLES: readonly Role[] = [...SERVICE_ROLES, 'operator'];

/** Folder of identities: their list, nats-server's users, and a folder with the seed of each. */
export class IdentityFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = resolve(path);
  }

  /** File for NATS_NKEY_FILE of an identity. */
  seedFile(name: string): string {
    return join(this.path, name, SEED_FILE);
  }

  /** File that nats-server includes. */
  get usersFile(): string {
    return join(this.path, USERS_FILE);
  }

  /** The identities; none if the folder is new. @throws Error if the list cannot be read */
  async list(): Promise<NatsIdentity[]> {
    return (await this.#read()).identities;
  }

  /**
   * Makes the identities of the services and of an operator, where they or their seeds are missing.
   *
   * Rights of all are written anew, because a later version of Spor may need others. They cover as many streams as before,
   * or more.
   * @returns names of the new ones
   */
  async init(shards: number, nowMs: number): Promise<string[]> {
    const before = await this.#read();
    const registry = { ...before, shards: Math.max(before.shards, shards) };
    const made: string[] = [];
    for (const role of FIRST_ROLES) {
      const usable = existsSync(this.seedFile(role));
      if (usable && registry.identities.some(({ name }) => name === role)) continue;
      const others = registry.identities.filter(({ name }) => name !== role);
      registry.identities = [...others, await this.#make({ name: role, role }, nowMs)];
      made.push(role);
    }
    await this.#write(registry);
    return made;
  }

  /** Makes an identity. @throws Error if its name is taken, or the folder has no identities of services */
  async add(wanted: Omit<NatsIdentity, 'nkey' | 'createdAt'>, nowMs: number): Promise<NatsIdentity> {
    const registry = await this.#existing();
    if (registry.identities.some(({ name }) => name === wanted.name)) {
      throw new Error(`there is an identity ${wanted.name}: revoke it first, or choose another name`);
    }
    const identity = await this.#make(wanted, nowMs);
    await this.#write({ ...registry, identities: [...registry.identities, identity] });
    return identity;
  }

  /** Gives an identity a new seed; the old one ends with nats-server's reload. @throws Error if there is none */
  async rotate(name: string, nowMs: number): Promise<NatsIdentity> {
    const registry = await this.#existing();
    const old = find(registry, name);
    const next = { ...(await this.#make(old, nowMs)) };
    await this.#write({ ...registry, identities: registry.identities.map((one) => (one === old ? next : one)) });
    return next;
  }

  /** Ends an identity with nats-server's reload, and removes its seed. @throws Error if there is none */
  async revoke(name: string): Promise<NatsIdentity> {
    const registry = await this.#existing();
    const identity = find(registry, name);
    await this.#write({ ...registry, identities: registry.identities.filter((one) => one !== identity) });
    await rm(this.seedFile(name), { force: true });
    await rmdir(join(this.path, name)).catch(() => undefined); // a mounted folder stays
    return identity;
  }

  async #make(wanted: Omit<NatsIdentity, 'nkey' | 'createdAt'>, nowMs: number): Promise<NatsIdentity> {
    const pair = nkeys.createUser();
    await mkdir(join(this.path, wanted.name), { recursive: true, mode: 0o700 });
    await writePrivate(this.seedFile(wanted.name), `${Buffer.from(pair.getSeed()).toString()}\n`);
    return { ...wanted, nkey: pair.getPublicKey(), createdAt: new Date(nowMs).toISOString() };
  }

  async #existing(): Promise<Registry> {
    const registry = await this.#read();
    if (registry.identities.length > 0) return registry;
    throw new Error(`${this.path} has no identities: run "spor access init --dir ${this.path}" first`);
  }

  async #read(): Promise<Registry> {
    const file = join(this.path, REGISTRY);
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (text === undefined) return { shards: 0, identities: [] };
    try {
      return JSON.parse(text) as Registry;
    } catch (cause) {
      throw new Error(`${file} is not JSON: restore it from a backup, or remove the folder to begin anew`, { cause });
    }
  }

  /** Writes the users before the list, so that an interrupted command can be repeated. */
  async #write(registry: Registry): Promise<void> {
    await mkdir(this.path, { recursive: true, mode: 0o700 });
    const users = registry.identities.map((identity) => ({
      proof: { nkey: identity.nkey },
      rights: rightsOf(identity.role, scopeOf(identity, registry.shards)),
    }));
    await writePrivate(this.usersFile, usersConfig(users));
    await writePrivate(join(this.path, REGISTRY), `${JSON.stringify(registry, null, 2)}\n`);
  }
}

function find({ identities }: Registry, name: string): NatsIdentity {
  const identity = identities.find((one) => one.name === name);
  if (identity) return identity;
  throw new Error(`there is no identity ${name}: "spor access list" lists them`);
}

function scopeOf({ nkey, tenantId, segmentIds, subjects }: NatsIdentity, shards: number): RightsScope {
  return {
    shards,
    inboxPrefix: `_INBOX.${nkey}`,
    ...(tenantId === undefined ? {} : { tenantId }),
    ...(segmentIds === undefined ? {} : { segmentIds }),
    ...(subjects === undefined ? {} : { subjects }),
  };
}

/** Replaces a file that only its owner can read. */
async function writePrivate(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text, { mode: 0o600 });
  await chmod(`${file}.new`, 0o600); // a file left by a killed process keeps its own mode
  await rename(`${file}.new`, file);
}
