import { copyFile, appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Registry } from '../../schemas/registry.ts';
import { dayShare } from '../counts/dayCounts.ts';
import { rejectedRow } from '../window/rejected.ts';
import type { ClosedWindow, LineRun, TenantShare } from '../window/closedWindow.ts';
import { EngineError, type EngineSession } from '../duckdb/engine.ts';
import * as sql from './sql.ts';
import { UnstorableLinesError, type UnstorableLine } from './lines.ts';
import { utcDay } from '../../runtime/units.ts';

const NEWLINE = 10;

/**
 * Finds the lines that DuckDB cannot read, or reads as another batch's.
 *
 * The file is halved until each such line is alone, with about 2·log2(lines) statements a line. Undefined: there is
 * none, so the failure has another cause.
 */
export async function findUnreadable(
  window: ClosedWindow,
  { session, registry }: { session: EngineSession; registry: Registry },
): Promise<UnstorableLinesError | undefined> {
  const lines = splitLines(await readFile(window.files.events));
  const probe = join(window.dir, 'probe.ndjson');
  const table = sql.eventsSql(registry, window.lines.eventLineBytes);
  const found: UnstorableLine[] = [];
  const search = async (from: number, to: number): Promise<void> => {
    const probed = lines.slice(from, to);
    const fault = await failure(async () => {
      await writeFile(probe, Buffer.concat(probed));
      // The process may have died with its tables during the last probe.
      await session.run(sql.createBatchTable(window.files.batches));
      const [counted] = await session.run(sql.tryLines(probe, table));
      const batchSum = probed.reduce((sum, line) => sum + batchOf(line), 0);
      if (Number(counted?.lines) === probed.length && Number(counted?.batch_sum) === batchSum) return;
      throw new EngineError('data', 'The event is not read as one of its own batch.');
    });
    if (fault === undefined) return;
    if (to - from === 1) {
      // An event gets the same message in any folder.
      const message = fault.replace(` in file "${probe}"`, '').slice(0, 1_000);
      found.push({ line: from, code: 'event_unreadable', message });
      return;
    }
    const middle = (from + to) >>> 1;
    await search(from, middle);
    await search(middle, to);
  };
  await search(0, lines.length);
  return found.length === 0 ? undefined : new UnstorableLinesError(found);
}

/** DuckDB's message against a statement's data; undefined if there is none. */
async function failure(task: () => Promise<void>): Promise<string | undefined> {
  try {
    await task();
    return undefined;
  } catch (error) {
    if (error instanceof EngineError && (error.fault === 'data' || error.fault === 'died')) return error.message;
    throw error;
  }
}

/**
 * Moves unstorable lines from a window's events to its rejected events.
 *
 * Each event is kept whole. A quarantine that holds the message already holds the event too.
 */
export async function quarantineUnstorable(
  window: ClosedWindow,
  unstorable: readonly UnstorableLine[],
): Promise<ClosedWindow> {
  const lines = splitLines(await readFile(window.files.events));
  const reasons = new Map(unstorable.map((one) => [one.line, one]));
  const rejected: string[] = [];
  const runs: LineRun[] = [];
  const tenants = new Map<string, TenantShare>(structuredClone(window.tenants));
  const days = await daysOfBatches(window.files.batches);
  let kept = 0;
  for (const run of window.runs) {
    const { tenantId } = window.sources[run.source]!;
    const share = tenants.get(tenantId)!;
    const contents = run.contents.filter((_, index) => !reasons.has(run.firstLine + index));
    const moved: LineRun = { ...run, firstLine: kept, contents };
    for (let line = run.firstLine; line < run.firstLine + run.lines; line++) {
      const reason = reasons.get(line);
      if (!reason) {
        kept++;
        continue;
      }
      moved.batchSum -= batchOf(lines[line]!);
      share.unstorable++;
      const day = dayShare(share.days, days.get(batchOf(lines[line]!))!);
      day.unstorable++;
      if (run.sequence <= window.quarantineStored.get(tenantId)!) continue;
      share.quarantined++;
      day.quarantined++;
      day.unstorableRows++;
      rejected.push(`${JSON.stringify(quarantineRow(lines[line]!, reason))}\n`);
    }
    moved.lines = kept - moved.firstLine;
    if (moved.lines > 0) runs.push(moved);
  }
  // New files, so that a failed attempt can be repeated.
  const files = { ...window.files, rejected: `${window.files.rejected}.next`, events: `${window.files.events}.next` };
  await copyFile(window.files.rejected, files.rejected);
  await appendFile(files.rejected, rejected.join(''));
  await writeFile(files.events, Buffer.concat(lines.filter((_, index) => !reasons.has(index))));
  const counts = {
    ...window.lines,
    events: lines.length - reasons.size,
    rejected: window.lines.rejected + rejected.length,
    rejectedLineBytes: rejected.reduce(
      (most, line) => Math.max(most, Buffer.byteLength(line)),
      window.lines.rejectedLineBytes,
    ),
  };
  return { ...window, files, lines: counts, runs, tenants };
}

/** UTC dates of receipt by batch number. */
async function daysOfBatches(file: string): Promise<Map<number, string>> {
  const rows = splitLines(await readFile(file)).map(
    (line) => JSON.parse(line.toString('utf8')) as { b: number; received_at: string },
  );
  return new Map(rows.map(({ b, received_at: receivedAt }) => [b, utcDay(Date.parse(receivedAt))]));
}

function quarantineRow(line: Buffer, { code, message }: UnstorableLine): Record<string, unknown> {
  const text = line.toString('utf8').trimEnd();
  const row = { index: null, code, path: '', message, raw: text };
  try {
    const { b: _, i, v, ...event } = JSON.parse(text) as Record<string, unknown>;
    return rejectedRow(batchOf(line), {
      ...row,
      index: Number.isSafeInteger(i) ? (i as number) : null,
      ...(typeof event.eventId === 'string' ? { eventId: event.eventId } : {}),
      ...(typeof event.type === 'string' ? { type: event.type } : {}),
      ...(Number.isSafeInteger(v) ? { schemaVersion: v as number } : {}),
      raw: JSON.stringify(event),
    });
  } catch {
    return rejectedRow(batchOf(line), row);
  }
}

/** Batch number at a line's start, which stream/message.ts wrote. The rest may be anything. */
function batchOf(line: Buffer): number {
  return Number.parseInt(line.toString('latin1', '{"b":'.length, '{"b":'.length + 16), 10);
}

/** Splits bytes into lines, each with its newline. */
function splitLines(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const newline = bytes.indexOf(NEWLINE, at);
    const end = newline < 0 ? bytes.length : newline + 1;
    lines.push(bytes.subarray(at, end));
    at = end;
  }
  return lines;
}
