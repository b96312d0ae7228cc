import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nkeys } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { coversSubject } from '../../../stream/identities/covers.ts';
import { IdentityFolder } from '../../../stream/identities/folder.ts';
import { rightsOf } from '../../../stream/identities/rights.ts';

const NOW = Date.UTC(2026, 10, 30);
let dir: string;
let folder: IdentityFolder;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-identities-'));
  folder = new IdentityFolder(join(dir, 'access'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const seed = async (name: string): Promise<string> => (await readFile(folder.seedFile(name), 'utf8')).trim();
const mode = async (file: string): Promise<number> => (await stat(file)).mode & 0o777;

describe('the folder of identities', () => {
  it('has one for each service and an operator, which only its owner can read', async () => {
    expect(await folder.init(4, NOW)).toEqual(['ingest', 'processor', 'query', 'operator']);
    for (const { name, nkey } of await folder.list()) {
      expect(nkeys.fromSeed(Buffer.from(await seed(name))).getPublicKey()).toBe(nkey);
      expect(await mode(folder.seedFile(name))).toBe(0o600);
    }
    expect(await mode(folder.usersFile)).toBe(0o600);
    expect(await readFile(folder.usersFile, 'utf8')).not.toContain(await seed('ingest'));
  });

  it('made again keeps them, makes the missing, and writes the rights anew', async () => {
    await folder.init(1, NOW);
    const before = await folder.list();
    expect(await folder.init(3, NOW)).toEqual([]);
    expect(await folder.list()).toEqual(before);
    expect(await readFile(folder.usersFile, 'utf8')).toContain('$JS.API.STREAM.INFO.EVENTS_3');
    await rm(folder.seedFile('query'));
    expect(await folder.init(3, NOW)).toEqual(['query']);
    expect(await folder.list()).toHaveLength(4);
  });

  it('adds, rotates and revokes, and refuses names it has or lacks', async () => {
    await expect(folder.add({ name: 'a', role: 'auditor' }, NOW)).rejects.toThrow('spor access init');
    await folder.init(1, NOW);
    const added = await folder.add({ name: 'feed', role: 'downstream', tenantId: 'demo-shop' }, NOW);
    await expect(folder.add({ name: 'feed', role: 'auditor' }, NOW)).rejects.toThrow('revoke it first');
    const rotated = await folder.rotate('feed', NOW);
    expect(rotated).toMatchObject({ name: 'feed', tenantId: 'demo-shop' });
    const users = await readFile(folder.usersFile, 'utf8');
    expect([users.includes(added.nkey), users.includes(rotated.nkey)]).toEqual([false, true]);
    await folder.revoke('feed');
    expect(await readFile(folder.usersFile, 'utf8')).not.toContain(rotated.nkey);
    await expect(seed('feed')).rejects.toThrow('ENOENT');
    await expect(folder.revoke('feed')).rejects.toThrow('spor access list');
    await writeFile(join(folder.path, 'identities.json'), '{');
    await expect(folder.list()).rejects.toThrow('is not JSON: restore it');
  });
});

describe('rights', () => {
  it('of a service downstream let it publish nothing, and subscribe to its segments and given subjects', () => {
    const scope = { shards: 4, inboxPrefix: '_INBOX.x', tenantId: 't', segmentIds: ['web'], subjects: ['replays.t'] };
    expect(rightsOf('downstream', scope)).toEqual({
      publish: [],
      subscribe: ['events.*.t.web', 'quarantine.*.t.web', 'replays.t'],
    });
  });

  it.each([
    ['a.b', 'a.b', true],
    ['a.*', 'a.b', true],
    ['a.*', 'a.*', true],
    ['a.b', 'a.*', false],
    ['a.>', 'a.b.c', true],
    ['a.>', 'a', false],
    ['a.*', 'a.>', false],
    ['a.>', 'a.>', true],
    ['>', 'a.*.c', true],
    ['a.*.c', 'a.b', false],
    ['a', 'a.b', false],
  ])('%s covers %s: %s', (pattern, subject, expected) => expect(coversSubject(pattern, subject)).toBe(expected));
});
