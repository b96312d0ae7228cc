import { randomBytes } from 'node:crypto';

/** A change that an operator, a person or a service makes, without secrets and without ids of persons. */
export interface MadeChange {
  /** What is done, such as `key.create`. */
  action: string;
  /** Who does it: `token 0123456789abcdef (label)`, `anna@host` of a command, or the name of a service. */
  by: string;
  tenantId?: string;
  segmentId?: string;
  /** What it is done to, such as `key 0123456789abcdef`. */
  about?: string;
  before?: unknown;
  after?: unknown;
}

/** A change as it is kept. */
export interface ChangeRecord extends MadeChange {
  /** Sorts by time. */
  id: string;
  /** ISO 8601 UTC, by the clock of who does it. */
  at: string;
  /** `begun`: the process ended before it could say how it went. */
  outcome: 'begun' | 'done' | 'failed';
  /** Why it failed. */
  message?: string;
}

/** Facts that are known only while a change is made. */
export type ChangeFacts = Partial<Omit<MadeChange, 'action' | 'by'>>;

/** A durable store of changes. Each call is durable when it resolves. */
export interface ChangeLog {
  begin(record: ChangeRecord): Promise<void>;
  end(record: ChangeRecord): Promise<void>;
}

const MAX_MESSAGE = 500;

/**
 * Makes a change that is recorded before it begins and before it is answered.
 *
 * A change that cannot be recorded is not made. If only its end cannot be recorded, the error says so.
 * @param log undefined: nothing is recorded
 */
export async function recorded<T>(
  log: ChangeLog | undefined,
  change: MadeChange,
  task: (note: (facts: ChangeFacts) => void) => Promise<T>,
): Promise<T> {
  const at = new Date().toISOString();
  const record: ChangeRecord = { id: newChangeId(at), at, ...change, outcome: 'begun' };
  await log?.begin(record);
  let result: T;
  try {
    result = await task((facts) => void Object.assign(record, facts));
  } catch (error) {
    const message = (error instanceof Error ? error.message : String(error)).slice(0, MAX_MESSAGE).toWellFormed();
    // The record of its begin stays, so the failure itself is what the caller must hear.
    await log?.end({ ...record, outcome: 'failed', message }).catch(() => undefined);
    throw error;
  }
  await log?.end({ ...record, outcome: 'done' });
  return result;
}

/** An id that is fit for keys and paths: `20261123T100000000Z-9f3a4c1d`. */
function newChangeId(at: string): string {
  return `${at.replaceAll(/[-:.]/g, '')}-${randomBytes(4).toString('hex')}`;
}

/** One record of each change, of its end if that is known, newest first. */
export function wholeChanges(records: Iterable<ChangeRecord>): ChangeRecord[] {
  const byId = new Map<string, ChangeRecord>();
  for (const record of records) if (record.outcome !== 'begun' || !byId.has(record.id)) byId.set(record.id, record);
  return [...byId.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
}
