import { compare } from '../demo/verify.ts';
import type { Decisions } from './decisions.ts';
import type { ChaosLedger } from './ledgerFile.ts';
import type { TenantRows } from './lakeIds.ts';

/** Kinds of broken promises. `forgotten`: an erased or expired event that is in a row again. */
export const FINDINGS = [
  'lost',
  'duplicated',
  'wrongTenant',
  'rejectedStored',
  'forgotten',
  'unbalanced',
  'claimed',
] as const;

/** One event that breaks a promise. */
export interface Finding {
  kind: (typeof FINDINGS)[number];
  eventId: string;
  /** The tenant whose tables were read. */
  tenantId: string;
  /** Reader that shows it. */
  reader: string;
  detail: string;
  /** Receipt of the acknowledgement, if any. */
  receiptId?: string;
}

type Known = Pick<ChaosLedger, 'accepted' | 'refusedIds' | 'unknownIds' | 'sentIds'> &
  Pick<Decisions, 'fateOf' | 'isLossAccepted'>;

/**
 * Compare a tenant's rows with the ledger. Pure.
 *
 * Acknowledged events must be in `events` once. Rejected ones must be in the quarantine and not in `events`. Events
 * without an answer may be in `events` once or not at all. A decision of an operator goes before the answer, and events
 * whose loss was accepted may be missing.
 */
export function findFaults(
  tenantId: string,
  ledger: Known,
  { events, quarantine, strangers }: TenantRows,
  reader: string,
): Finding[] {
  const finding = (kind: Finding['kind'], eventId: string, detail: string): Finding => {
    const receiptId = ledger.accepted.get(eventId)?.receiptId;
    return { kind, eventId, tenantId, reader, detail, ...(receiptId === undefined ? {} : { receiptId }) };
  };
  const unknown = new Set([...ledger.unknownIds].filter(([, owner]) => owner === tenantId).map(([id]) => id));
  const { lost, duplicated, foreign } = compare(tenantId, { accepted: ledger.accepted, unknown }, events);
  const fateOf = (id: string): ReturnType<Decisions['fateOf']> => ledger.fateOf(tenantId, id);
  const mayBeMissing = (id: string): boolean => {
    const fate = fateOf(id);
    return fate === 'absent' || fate === 'either' || ledger.isLossAccepted(id);
  };
  return [
    ...lost.filter((id) => !mayBeMissing(id)).map((id) => finding('lost', id, 'acknowledged, and in no row of events')),
    ...redrivenIds()
      .filter((id) => !events.has(id))
      .map((id) => finding('lost', id, 'redriven, and in no row of events')),
    ...[...events.keys()]
      .filter((id) => fateOf(id) === 'absent')
      .map((id) => finding('forgotten', id, 'erased or expired, and in a row of events')),
    ...duplicated.map((id) => finding('duplicated', id, `in ${events.get(id)} rows of events`)),
    ...foreign.filter((id) => !isRedriven(id)).map((id) => foreignFinding(id)),
    ...strangers.map((id) => finding('wrongTenant', id, 'in a row that names another tenant than its folder')),
    ...unkept().map((id) =>
      finding('lost', id, `rejected with ${ledger.refusedIds.get(id)!.code}, and not in the quarantine`),
    ),
    ...[...quarantine.keys()]
      .filter((id) => (ledger.sentIds.get(id) ?? tenantId) !== tenantId)
      .map((id) => finding('wrongTenant', id, `in the quarantine, and belongs to ${ledger.sentIds.get(id)}`)),
  ];

  function foreignFinding(id: string): Finding {
    const owner = ledger.sentIds.get(id);
    if (owner === undefined) return finding('wrongTenant', id, 'in events, and never sent');
    if (owner !== tenantId) return finding('wrongTenant', id, `in events, and belongs to ${owner}`);
    const code = ledger.refusedIds.get(id)?.code;
    return finding('rejectedStored', id, `${code === undefined ? 'faulty' : `rejected with ${code}`}, and in events`);
  }

  function refusedIds(): string[] {
    return [...ledger.refusedIds].filter(([, refused]) => refused.tenantId === tenantId).map(([id]) => id);
  }

  function unkept(): string[] {
    return refusedIds().filter((id) => !quarantine.has(id) && !ledger.isLossAccepted(id));
  }

  function redrivenIds(): string[] {
    return refusedIds().filter((id) => fateOf(id) === 'present');
  }

  function isRedriven(id: string): boolean {
    const fate = fateOf(id);
    return ledger.sentIds.get(id) === tenantId && (fate === 'present' || fate === 'either');
  }
}

/** Acknowledged events of a tenant that are missing, and whose loss was accepted. Pure. */
export function acceptedLosses(tenantId: string, ledger: Known, { events }: Pick<TenantRows, 'events'>): string[] {
  return [...ledger.accepted].flatMap(([id, known]) =>
    known.tenantId === tenantId && !events.has(id) && ledger.isLossAccepted(id) ? [id] : [],
  );
}
