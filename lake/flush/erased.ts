import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dayOfMs, formatRanges, parseRanges } from '../accounts/account.ts';
import type { ErasureList } from '../erasure/list.ts';
import { eventErased, rejectedErased } from '../erasure/suppress.ts';
import { literal } from '../sqlEngine.ts';
import type { ClosedWindow } from '../window/window.ts';
import type { Outcome } from './lines.ts';
import type { Session } from './engine.ts';
import * as sql from './sql.ts';

export interface DropErasedOptions {
  session: Session;
  /** Of the tenants that have erased somebody. */
  erasures: ReadonlyMap<string, ErasureList>;
  outcomes: Map<string, Outcome>;
}

/** What of `line` is to be compared, and where it is counted. */
const EVENTS = { erased: eventErased, position: 'line.i', count: 'erased' } as const;
const REJECTED = { erased: rejectedErased, position: 'coalesce(line."index", 0)', count: 'erasedRows' } as const;

/** Removes from the session's `line` table the accepted, or the refused, events of those who are erased, and counts them. */
export async function dropErased(
  window: ClosedWindow,
  table: 'events' | 'quarantine',
  { session, erasures, outcomes }: DropErasedOptions,
): Promise<void> {
  const { erased, position, count } = table === 'events' ? EVENTS : REJECTED;
  const concerned = [...erasures].filter(([tenantId, { ids }]) => ids.length > 0 && outcomes.has(tenantId));
  if (concerned.length === 0) return;
  const conditions = concerned.map(
    ([tenantId, list]) => `(batch.tenant_id = ${literal(tenantId)} AND (${erased(tenantId, list)}))`,
  );
  const lines = await session.run(sql.selectLines(conditions.join(' OR ')));
  if (lines.length === 0) return;
  const file = join(window.dir, 'erased.ndjson');
  await writeFile(file, lines.map(({ line }) => `{"line":${Number(line)}}\n`).join(''));
  for (const row of await session.run(sql.selectReceipts(file, position))) {
    const outcome = outcomes.get(String(row.tenant_id))!;
    const rows = Number(row.rows);
    outcome[count] += rows;
    outcome.days.get(dayOfMs(Number(row.received_ms)))![count] += rows;
    const receipts = table === 'events' ? outcome.erasedEvents : outcome.erasedRejected;
    receipts[String(row.receipt_id)] = formatRanges(parseRanges(String(row.indexes)));
  }
  await session.run(sql.deleteLines(file));
}
