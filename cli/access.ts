import { readFile } from 'node:fs/promises';
import { readConfig } from '../runtime/config.ts';
import { ID_PATTERN, isId } from '../schemas/subjects.ts';
import { IdentityFolder, type NatsIdentity } from '../stream/identities/folder.ts';
import { OTHER_ROLES, SERVICE_ROLES, type Role } from '../stream/identities/rights.ts';
import { untilKnown } from './access/untilKnown.ts';
import { changeFolder } from './changing.ts';
import { command, EXIT, group, UsageError, type Context } from './command.ts';
import { numberOption } from './number.ts';
import { requiredId } from './secrets.ts';
import { ACCESS_SETTINGS, readEnvironment, STREAM_SETTINGS } from './settings.ts';
import { formatTable } from './table.ts';

const DIR_HELP = `  --dir <folder>   folder of the identities (default ACCESS_DIR, which "npm run up" sets)
  --json
`;
const DIR = { dir: { type: 'string' } } as const;

const init = command({
  usage: `Usage: spor access init [--dir <folder>] [--shards <n>] [--json]

Makes an identity for each service and for an operator, as far as they are missing, and writes users.conf for nats-server.
Run it again after an upgrade: it writes the rights of all anew. They never cover fewer streams than before.

  --shards <n>     number of shard streams that the rights cover (default SPOR_SHARDS); before "spor shards grow"
${DIR_HELP}`,
  options: { ...DIR, shards: { type: 'string' } },
  async run({ dir, json, shards: wanted }, _, context) {
    const folder = folderOf(context, dir);
    const setting = readConfig({ shards: STREAM_SETTINGS.shards }, readEnvironment(context).values).shards;
    const shards = wanted === undefined ? setting : numberOption('--shards', wanted, { min: 1, max: 1_024 });
    const made = await changeFolder(folder.path, { action: 'identity.init' }, async (note) => {
      const names = await folder.init(shards, context.now());
      note({ after: { shards, made: names } });
      return names;
    });
    if (json) context.out(`${JSON.stringify({ dir: folder.path, usersFile: folder.usersFile, made })}\n`);
    else {
      context.out(made.length === 0 ? 'All identities were there.\n' : `New identities: ${made.join(', ')}.\n`);
      context.out(
        `nats-server includes ${folder.usersFile}. Each service gets NATS_NKEY_FILE=${folder.seedFile('<name>')}.\n`,
      );
    }
    return EXIT.done;
  },
});

const create = command({
  usage: `Usage: spor access create <name> --tenant <id> [options]
       spor access create <name> --role <role> [options]

Makes an identity at the stream server, and a file with its seed. With --tenant it is for a service downstream, which may
subscribe to the tenant's messages and to nothing else.

  --tenant <id>     tenant of a service downstream
  --segment <id>    readable segment; may be repeated (default all of the tenant)
  --subject <text>  a further subject to subscribe to, such as that of "spor replay --to-subject"; may be repeated
  --role <role>     ${[...SERVICE_ROLES, ...OTHER_ROLES].filter((role) => role !== 'downstream').join(', ')}
${DIR_HELP}`,
  options: {
    ...DIR,
    tenant: { type: 'string' },
    segment: { type: 'string', multiple: true },
    subject: { type: 'string', multiple: true },
    role: { type: 'string' },
  },
  positionals: ['name'],
  async run(values, [name = ''], context) {
    const folder = folderOf(context, values.dir);
    const wanted = { name: nameOf(name), ...wantedOf(values) };
    const change = { action: 'identity.create', about: `identity ${name}`, after: wanted };
    const identity = await changeFolder(folder.path, change, () => folder.add(wanted, context.now()));
    return finish(context, folder, identity, values.json);
  },
});

const list = command({
  usage: `Usage: spor access list [--dir <folder>] [--json]\n\n${DIR_HELP}`,
  options: DIR,
  async run({ dir, json }, _, context) {
    const identities = await folderOf(context, dir).list();
    if (json) context.out(`${JSON.stringify({ identities })}\n`);
    else if (identities.length === 0) context.out('There are no identities yet: see "spor access init --help".\n');
    else {
      const rows = identities.map(({ name, role, tenantId, segmentIds, subjects, nkey, createdAt }) => [
        name,
        role,
        tenantId,
        role === 'downstream' ? segmentIds?.join(', ') || '(all)' : '',
        subjects?.join(', '),
        createdAt,
        nkey,
      ]);
      context.out(formatTable(['name', 'role', 'tenant', 'segments', 'subjects', 'created', 'public key'], rows));
    }
    return EXIT.done;
  },
});

const rotate = command({
  usage: `Usage: spor access rotate <name> [--dir <folder>] [--json]

Gives an identity a new seed. The old one ends when nats-server reloads. Restart its service then.

${DIR_HELP}`,
  options: DIR,
  positionals: ['name'],
  async run({ dir, json }, [name = ''], context) {
    const folder = folderOf(context, dir);
    const change = { action: 'identity.rotate', about: `identity ${name}` };
    const identity = await changeFolder(folder.path, change, () => folder.rotate(name, context.now()));
    return finish(context, folder, identity, json);
  },
});

const revoke = command({
  usage: `Usage: spor access revoke <name> [--dir <folder>] [--json]

Ends an identity. nats-server disconnects it when it reloads.

${DIR_HELP}`,
  options: DIR,
  positionals: ['name'],
  async run({ dir, json }, [name = ''], context) {
    const folder = folderOf(context, dir);
    const seed = await readFile(folder.seedFile(name), 'utf8').catch(() => undefined); // absent: not verified below
    const change = { action: 'identity.revoke', about: `identity ${name}` };
    const identity = await changeFolder(folder.path, change, () => folder.revoke(name));
    const inForce = seed !== undefined && (await untilKnown(context, seed.trim(), false));
    if (json) context.out(`${JSON.stringify({ ...identity, inForce })}\n`);
    else context.out(`Identity ${name} is revoked. ${inForce ? 'nats-server refuses it.' : RELOAD}\n`);
    return EXIT.done;
  },
});

export const accessCommand = group(
  `Usage: spor access init|create|list|rotate|revoke [options]

  init    make the identities of the services, and the rights for nats-server
  create  make an identity for a person or for a service downstream
  list    list identities
  rotate  give an identity a new seed
  revoke  end an identity
`,
  { init, create, list, rotate, revoke },
);

const RELOAD = 'It takes effect when nats-server reloads: "nats-server --signal reload", or SIGHUP to its process.';

async function finish(
  context: Context,
  folder: IdentityFolder,
  identity: NatsIdentity,
  json?: boolean,
): Promise<number> {
  const seedFile = folder.seedFile(identity.name);
  const inForce = await untilKnown(context, (await readFile(seedFile, 'utf8')).trim(), true);
  if (json)
    context.out(`${JSON.stringify({ ...identity, seedFile, inboxPrefix: `_INBOX.${identity.nkey}`, inForce })}\n`);
  else {
    context.out(`${seedFile}\n`);
    const facts = identity.tenantId === undefined ? identity.role : `${identity.role} of ${identity.tenantId}`;
    context.err(
      `Identity ${identity.name} (${facts}): its seed is in this file. ${inForce ? 'nats-server knows it.' : RELOAD}\n`,
    );
  }
  return EXIT.done;
}

function folderOf(context: Context, dir: string | undefined): IdentityFolder {
  const path = dir ?? readConfig(ACCESS_SETTINGS, readEnvironment(context).values).accessDir;
  if (path === '') throw new UsageError('the folder of the identities is not known: give --dir, or set ACCESS_DIR');
  return new IdentityFolder(path);
}

function nameOf(name: string): string {
  if (isId(name)) return name;
  throw new UsageError(`"${name}" is not a name: use ${ID_PATTERN.source}`);
}

function wantedOf(values: {
  tenant?: string;
  segment?: string[];
  subject?: string[];
  role?: string;
}): Pick<NatsIdentity, 'role' | 'tenantId' | 'segmentIds' | 'subjects'> {
  const { tenant, segment = [], subject = [], role } = values;
  if ((tenant === undefined) === (role === undefined)) throw new UsageError('give either --tenant or --role');
  if (role !== undefined) {
    if (segment.length + subject.length > 0) throw new UsageError('--segment and --subject belong to --tenant');
    return { role: roleOf(role) };
  }
  return {
    role: 'downstream',
    tenantId: requiredId('--tenant', tenant),
    segmentIds: segment.map((one) => requiredId('--segment', one)),
    subjects: subject.map(subjectOf),
  };
}

function roleOf(text: string): Role {
  const role = [...SERVICE_ROLES, ...OTHER_ROLES].find((one) => one === text && one !== 'downstream');
  if (role) return role;
  throw new UsageError(`--role ${text} is not a role: see "spor access create --help"`);
}

/** A subject that is not one of Spor's or the server's own. */
function subjectOf(subject: string): string {
  const own = ['events', 'quarantine', '_INBOX', '*', '>'];
  const [first = ''] = subject.split('.');
  const fit = /^[\w-]+(\.([\w-]+|\*))*(\.>)?$/.test(subject) && !own.includes(first);
  if (fit) return subject;
  throw new UsageError(`--subject ${subject} is not a subject outside events, quarantine and _INBOX`);
}
