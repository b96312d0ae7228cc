import type { CommitCounts } from '../../lake/counts/commitCounts.ts';
import { literal } from '../../lake/duckdb/sqlText.ts';
import type { SqlSession } from '../../lake/duckdb/sqlEngine.ts';
import { parseFileName, type TableName } from '../../lake/layout/tables.ts';
import { parseReceipt } from '../../schemas/receipt.ts';
import type { Difference } from './reconcile.ts';

/** A commit of another tool that changed rows of a table. */
export interface ForeignChange {
  table: TableName;
  version: number;
  /** Engine, as its commit names it. */
  by: string;
  operation: string;
  addedFiles: number;
  removedFiles: number;
}

type Accounts = Record<TableName, { accounts: readonly CommitCounts[] }>;

/** The commits of other tools that changed rows, as far as the log still has them. Pure. */
export function foreignChanges(tables: Accounts): ForeignChange[] {
  return (['events', 'quarantine'] as const).flatMap((table) =>
    tables[table].accounts.flatMap(({ version, foreign }) => {
      if (!foreign) return [];
      const { by, operation, added, removed } = foreign;
      return [{ table, version, by, operation, addedFiles: added.length, removedFiles: removed.length }];
    }),
  );
}

/** Paths that other tools added to a table. Pure. */
export function foreignFiles(accounts: readonly CommitCounts[]): Set<string> {
  return new Set(accounts.flatMap(({ foreign }) => foreign?.added ?? []));
}

/** Load the receipts in files of other tools as the table `foreign_rows`. */
export async function loadForeignRows(session: SqlSession, files: readonly string[]): Promise<void> {
  const rows =
    files.length === 0
      ? 'SELECT NULL::VARCHAR AS r WHERE false'
      : `SELECT DISTINCT receipt_id AS r FROM read_parquet([${files.map(literal).join(', ')}], union_by_name = true)`;
  await session.run(`CREATE OR REPLACE TEMP TABLE foreign_rows AS ${rows}`);
}

/**
 * Name the differences that other tools explain as `foreign`, instead of as lost or doubled.
 *
 * Rows too many are theirs if one of their files has the receipt. Rows too few are theirs if they removed a file whose
 * name covers the receipt's message. The range of a compacted file is wide, so a lost event there may be named too.
 */
export async function nameForeign(
  session: SqlSession,
  differences: readonly Difference[],
  tables: Accounts,
): Promise<Difference[]> {
  const rows = await session.run('SELECT r FROM foreign_rows');
  const receipts = new Set(rows.map(({ r }) => String(r)));
  return differences.map((difference) => {
    const cause = causeOf(difference, tables[difference.table].accounts, receipts);
    return cause === undefined
      ? difference
      : { ...difference, kind: 'foreign', message: `${cause}. Seen as ${difference.kind}: ${difference.message}` };
  });
}

function causeOf(
  { kind, receiptId = '' }: Difference,
  accounts: readonly CommitCounts[],
  receipts: ReadonlySet<string>,
): string | undefined {
  const isSurplus = kind === 'doubled' || kind === 'unexpected';
  if (isSurplus && !receipts.has(receiptId)) return undefined;
  const cause = accounts.findLast(({ foreign }) =>
    isSurplus ? foreign && foreign.added.length > 0 : foreign?.removed.some((path) => mayHold(path, receiptId)),
  );
  return cause?.foreign && `version ${cause.version} is of ${cause.foreign.by} (${cause.foreign.operation})`;
}

/** Whether a file of ours may hold rows of a receipt, by its name. Without a receipt any file may. */
function mayHold(path: string, receiptId: string): boolean {
  const receipt = parseReceipt(receiptId);
  const source = parseFileName(path);
  if (!receipt || !source || !/_\d+$/.test(source.stream)) return true;
  return receipt.sequence >= source.firstSequence && receipt.sequence <= source.lastSequence;
}
