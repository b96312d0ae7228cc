import { EXIT, UsageError, type Command } from './command.ts';

/** Commands by name, loaded on use: DuckDB is slow to load. */
const COMMANDS: Record<string, { summary: string; load: () => Promise<Command> }> = {
  keys: {
    summary: 'create, list, revoke and rotate instrumentation keys',
    load: async () => (await import('./keys.ts')).keysCommand,
  },
  tokens: {
    summary: 'create, list and revoke read tokens',
    load: async () => (await import('./tokens.ts')).tokensCommand,
  },
  access: {
    summary: 'make, list, rotate and revoke identities at the stream server',
    load: async () => (await import('./access.ts')).accessCommand,
  },
  sql: {
    summary: "ask the lake in SQL, one tenant's data at a time",
    load: async () => (await import('./sql.ts')).sqlCommand,
  },
  report: {
    summary: 'answer a report: search, products, revenue, personalization',
    load: async () => (await import('./report.ts')).reportCommand,
  },
  export: {
    summary: 'files for OpenSearch, Quepid, RRE, UBI and Personalize',
    load: async () => (await import('./export.ts')).exportCommand,
  },
  attach: {
    summary: 'write a DuckDB database of views, for your own duckdb or notebook',
    load: async () => (await import('./attach.ts')).attachCommand,
  },
  marts: {
    summary: 'refresh derived tables for other services',
    load: async () => (await import('./marts.ts')).martsCommand,
  },
  changes: {
    summary: 'files added to and removed from a table since a version',
    load: async () => (await import('./changes.ts')).changesCommand,
  },
  status: {
    summary: "the stream's shards and their backlog",
    load: async () => (await import('./status.ts')).statusCommand,
  },
  quarantine: {
    summary: 'list rejected events, fix them, and redrive them into the lake',
    load: async () => (await import('./quarantine.ts')).quarantineCommand,
  },
  files: {
    summary: 'the current files of a table',
    load: async () => (await import('./files.ts')).filesCommand,
  },
  table: {
    summary: 'who changed a table, and the undo of what other tools did',
    load: async () => (await import('./foreignHands.ts')).tableCommand,
  },
  receipt: {
    summary: 'the state of each event of a batch',
    load: async () => (await import('./receipt.ts')).receiptCommand,
  },
  reconcile: {
    summary: 'compare accepted events with those in the lake',
    load: async () => (await import('./reconcile.ts')).reconcileCommand,
  },
  quota: {
    summary: 'limit the events of a tenant over all receivers',
    load: async () => (await import('./quota.ts')).quotaCommand,
  },
  audit: {
    summary: 'who changed what: keys, quotas, settings, erasures and more',
    load: async () => (await import('./audit.ts')).auditCommand,
  },
  usage: {
    summary: 'what each tenant used, by month',
    load: async () => (await import('./usage.ts')).usageCommand,
  },
  ids: {
    summary: "whether a tenant's segments share the ids of orders and visitors",
    load: async () => (await import('./ids.ts')).idsCommand,
  },
  catalogue: {
    summary: 'import the products of a segment',
    load: async () => (await import('./catalogue.ts')).catalogueCommand,
  },
  zones: {
    summary: "the time zones of a tenant's shops",
    load: async () => (await import('./zones.ts')).zonesCommand,
  },
  retention: {
    summary: "how long a tenant's events are kept",
    load: async () => (await import('./retention.ts')).retentionCommand,
  },
  replay: {
    summary: 'rebuild dates of the lake from the stream, compare and swap',
    load: async () => (await import('./replay.ts')).replayCommand,
  },
  backup: {
    summary: 'what only the stream server holds, into a folder',
    load: async () => (await import('./backup.ts')).backupCommand,
  },
  restore: {
    summary: 'a backup into an empty stream server',
    load: async () => (await import('./restore.ts')).restoreCommand,
  },
  shards: {
    summary: 'the number of shards, and how it grows while everything runs',
    load: async () => (await import('./shards.ts')).shardsCommand,
  },
  stream: {
    summary: 'after a store of the stream was restored or lost',
    load: async () => (await import('./streams.ts')).streamsCommand,
  },
  schemas: {
    summary: 'compare the event schemas with those in use',
    load: async () => (await import('./schemas.ts')).schemasCommand,
  },
  erase: {
    summary: 'erase a person from the lake',
    load: async () => (await import('./erase.ts')).eraseCommand,
  },
  compact: {
    summary: 'merge small files of the lake into large ones',
    load: async () => (await import('./maintenance.ts')).compactCommand,
  },
  vacuum: {
    summary: 'delete files that the lake no longer needs',
    load: async () => (await import('./maintenance.ts')).vacuumCommand,
  },
  size: {
    summary: 'estimate the machine that a load needs',
    load: async () => (await import('./size.ts')).sizeCommand,
  },
  version: { summary: 'the version of Spor and of Node', load: async () => (await import('./version.ts')).version },
};

const USAGE = `Usage: spor <command> [options]

${Object.entries(COMMANDS)
  .map(([name, { summary }]) => `  ${name.padEnd(12)}${summary}`)
  .join('\n')}
  help        this text; "spor <command> --help" says more

Settings come from the environment (NATS_URL, LAKE_URL, …). If neither of those two is set, they come from .spor/up/env.
"npm run up" writes that file, so commands work in a second terminal without any settings.

Exit codes: 0 done, 1 failed, 2 used wrongly, 69 a server could not be reached.
`;

/** The `spor` command: the first argument chooses the command that gets the others. */
export const spor: Command = {
  async run([name, ...rest], context) {
    if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
      context.out(USAGE);
      return name === undefined ? EXIT.usage : EXIT.done;
    }
    const entry = COMMANDS[name === '--version' ? 'version' : name];
    if (!entry) throw new UsageError(`there is no command "${name}"; try "spor help"`);
    return (await entry.load()).run(rest, context);
  },
};
