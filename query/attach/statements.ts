import type { Registry } from '../../schemas/registry.ts';
import { deltaTable } from '../../lake/delta/table.ts';
import { insightMacros, insightViews } from '../insight/views.ts';
import { martView } from '../marts/sources.ts';
import { listMarts, martSpec } from '../marts/mart.ts';
import { filesInScope, type Scope } from '../../lake/files/prune.ts';
import { fileGroups } from '../engine/sources.ts';
import { createCatalog, type TableFiles } from '../engine/views.ts';
import { identifier, literal } from '../../lake/duckdb/sqlText.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { catalogueSpec } from '../../lake/layout/catalogue.ts';
import { sharesIds } from '../../lake/layout/sharedIds.ts';
import { TABLE_NAMES, tableSpec, type TableName } from '../../lake/layout/tables.ts';

/** A tenant's relations for a DuckDB of the reader's own. */
export interface Attachment {
  /** SQL statements that create the relations, or replace older ones. */
  statements: string[];
  /** Version of the events table; -1: the tenant has no events yet. */
  version: number;
  /** Number of data files that they read. */
  files: number;
}

/**
 * Statements for all relations of queries, and for the marts.
 *
 * They read the files of one version, so later rows need a new call.
 * @throws LakeError storage_unavailable, table_corrupt
 */
export async function attachment(
  storage: Storage,
  registry: Registry,
  { tenantId, ...scope }: Scope & { tenantId: string },
): Promise<Attachment> {
  const tables: Record<TableName, TableFiles> = { events: { groups: [] }, quarantine: { groups: [] } };
  let version = -1;
  let files = 0;
  for (const name of TABLE_NAMES) {
    const spec = tableSpec(name, tenantId, registry);
    const snapshot = await deltaTable(storage, spec).snapshot();
    const found = filesInScope(snapshot, scope);
    const addresses = new Map(found.map(({ path }) => [path, addressOf(storage, `${spec.root}/${path}`)]));
    tables[name] = { groups: fileGroups(found, addresses), sharedIds: sharesIds(snapshot) };
    files += found.length;
    if (name === 'events') version = snapshot.version;
  }
  const functions = new Set(insightMacros().map(({ name }) => name));
  const everything = createCatalog(registry).requiredViews({ tables: new Set(), functions, catalog: true });
  const comments = insightViews(registry).map(
    ({ name, description }) => `COMMENT ON VIEW ${identifier(name)} IS ${literal(description)}`,
  );
  const marts = scope.segmentIds.length > 0 ? [] : await martStatements(storage, registry, tenantId);
  const statements = [
    ...everything.statements(tables, await catalogueAddresses(storage, tenantId, scope)).map(orReplace),
    ...comments,
    ...marts,
  ];
  return { statements: ["SET TimeZone = 'UTC'", ...statements], version, files };
}

async function catalogueAddresses(storage: Storage, tenantId: string, scope: Scope): Promise<string[]> {
  const { root } = catalogueSpec(tenantId);
  const snapshot = await deltaTable(storage, catalogueSpec(tenantId)).snapshot();
  const files = filesInScope(snapshot, { segmentIds: scope.segmentIds });
  return files.map(({ path }) => addressOf(storage, `${root}/${path}`));
}

async function martStatements(storage: Storage, registry: Registry, tenantId: string): Promise<string[]> {
  const statements: string[] = [];
  for (const mart of listMarts(registry)) {
    const table = deltaTable(storage, martSpec(mart, tenantId));
    const { files, version } = await table.snapshot();
    if (version < 0) continue;
    const addresses = [...files.keys()].map((path) => addressOf(storage, `${table.spec.root}/${path}`));
    const name = `marts.${identifier(mart.name)}`;
    const comment = `COMMENT ON VIEW ${name} IS ${literal(`${mart.summary} A row is ${mart.row}.`)}`;
    statements.push(orReplace(martView(name, table, addresses)), comment);
  }
  return statements.length === 0 ? [] : ['CREATE SCHEMA IF NOT EXISTS marts', ...statements];
}

/** Path or S3 address of a file for DuckDB. S3 needs httpfs. */
function addressOf(storage: Storage, path: string): string {
  return storage.localPath(path) ?? `${storage.url.replace(/\/$/, '')}/${path}`;
}

function orReplace(statement: string): string {
  return statement.replace(/^CREATE (?!OR REPLACE)/, 'CREATE OR REPLACE ');
}
