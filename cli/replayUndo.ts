import { ERASURES_ID } from '../lake/delta/guards.ts';
import type { Table } from '../lake/delta/table.ts';
import type { Storage } from '../lake/storage/storage.ts';
import { TABLE_NAMES, type TableName } from '../lake/layout/tables.ts';
import { createRegistry } from '../schemas/registry.ts';
import { stateOfSwap, swapRecords, undoSwap, type SwapRecord } from './replay/swap.ts';
import { changeLake } from './changing.ts';
import { command, EXIT } from './command.ts';
import { requiredId } from './secrets.ts';
import { requireTenants } from './tenant.ts';

const USAGE = `Usage: spor replay undo --tenant <id> [--id <replay>] [--json]

Restores the files that a replay has replaced, in one commit for each table. Without --id it undoes the newest replay in force. It
works until vacuum deletes the old files, which is a day or more by default. It does not work after an erasure ("spor erase"),
because the old files may hold the person's data.
`;

export const replayUndoCommand = command({
  usage: USAGE,
  options: { tenant: { type: 'string' }, id: { type: 'string' } },
  async run(values, _, context) {
    const tenantId = requiredId('--tenant', values.tenant);
    await requireTenants(context, [tenantId]);
    const { createTableCache } = await import('../lake/layout/tableCache.ts');
    const { id, undone } = await changeLake(context, { action: 'replay.undo', tenantId }, async (storage, note) => {
      const table = createTableCache(storage, createRegistry());
      const tables = TABLE_NAMES.map((name) => table(name, tenantId));
      const done = await undo(storage, tables, values.id);
      note({ about: `replay ${done.id}`, after: done.undone });
      return done;
    });
    if (values.json) context.out(`${JSON.stringify({ tenant: tenantId, id, undone })}\n`);
    else
      for (const { table, version } of undone) context.out(`replay ${id}: ${table} is as before, version ${version}\n`);
    return EXIT.done;
  },
});

interface Undone {
  table: TableName;
  version: number;
}

async function undo(
  storage: Storage,
  tables: readonly Table[],
  id?: string,
): Promise<{ id: string; undone: Undone[] }> {
  const all: { table: Table; record: SwapRecord; state: Awaited<ReturnType<typeof stateOfSwap>> }[] = [];
  for (const table of tables) {
    for (const record of await swapRecords(storage, table)) {
      all.push({ table, record, state: await stateOfSwap(table, record) });
    }
  }
  const inForce = all.filter(({ state }) => state === 'inForce').sort((a, b) => (a.record.at < b.record.at ? 1 : -1));
  const wanted = id ?? inForce[0]?.record.id;
  const chosen = inForce.filter(({ record }) => record.id === wanted);
  if (wanted === undefined || chosen.length === 0) {
    const erased = await Promise.all(tables.map(async (table) => (await table.snapshot()).txns.has(ERASURES_ID)));
    throw new Error(nothingToUndo(all, id, erased.includes(true)));
  }
  const undone: Undone[] = [];
  for (const { table, record } of chosen) {
    undone.push({ table: record.table, version: (await undoSwap(storage, table, record)).version });
  }
  return { id: wanted, undone };
}

function nothingToUndo(
  all: readonly { record: SwapRecord; state: string }[],
  id: string | undefined,
  erased: boolean,
): string {
  const known = all.filter(({ record }) => id === undefined || record.id === id);
  if (known.length === 0 && erased) {
    return (
      'nothing to undo: replays before an erasure (spor erase) cannot be undone, because the files they replaced may hold the ' +
      "person's data. Replay the dates again instead"
    );
  }
  if (known.length === 0) return id === undefined ? 'there was no replay of this tenant' : `there was no replay ${id}`;
  if (known.every(({ state }) => state === 'undone')) return 'nothing to undo: the replay was undone already';
  return "the table's files have changed since the replay, by compaction or otherwise. Replay the dates again instead";
}
