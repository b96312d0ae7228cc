import { parseReceipt } from '../../schemas/receipt.ts';
import type { ChaosOutcome } from './run.ts';
import { FINDINGS, type Finding } from './verify.ts';

/** The last line of a run. */
export interface ChaosSummary {
  cycles: number;
  /** Acknowledged events, each counted once. */
  acked: number;
  /** Rows of events. */
  stored: number;
  lost: number;
  duplicated: number;
  wrongTenant: number;
  rejectedStored: number;
  /** Events that were erased or had expired, and are in a row again. */
  forgotten: number;
  /** Acknowledged events that are missing, as an operator accepted after a store had gone back; no finding. */
  acceptedLosses: number;
  /** Findings of `spor reconcile` about a tenant's days. */
  unbalanced: number;
  /** Events missing in the lake although a mark of completeness covered them. */
  claimed: number;
  /** Number of tried marks. */
  marks: number;
  /** Valid events without an answer. */
  unknown: number;
  /** Longest time from the end of faults to full recovery. */
  recoverySecondsMax: number;
  /** Longest time without a 202 beside the load. */
  unavailableSecondsMax: number;
  /** Longest time after its revocation that a key was accepted. */
  revokedAcceptedSecondsMax: number;
  /** Longest time that a receiver called itself ready and refused. */
  staleReadySecondsMax: number;
  /** Number of faults by kind; `not run` has the kinds that could not run. */
  faults: Record<string, number>;
}

const SHOWN = 20;

export function summarizeChaos(outcome: ChaosOutcome): ChaosSummary {
  const { ledger, stored, findings } = outcome;
  const all = findings.flatMap((found) => found.findings);
  const found = Object.fromEntries(
    FINDINGS.map((kind) => [kind, new Set(all.filter((finding) => finding.kind === kind).map(nameOf)).size]),
  ) as Record<Finding['kind'], number>;
  const notRun = [...outcome.notRun.keys()].filter((name) => !outcome.faults.has(name)).length;
  return {
    cycles: outcome.cycles,
    acked: ledger.accepted.size,
    stored: [...stored.values()].reduce((sum, rows) => sum + rows, 0),
    ...found,
    acceptedLosses: outcome.acceptedLosses.size,
    marks: outcome.marks,
    unknown: [...ledger.unknownIds.keys()].filter((id) => !ledger.accepted.has(id)).length,
    recoverySecondsMax: Math.round(outcome.recoverySecondsMax * 10) / 10,
    unavailableSecondsMax: outcome.probed.unavailableSecondsMax,
    revokedAcceptedSecondsMax: outcome.probed.revokedAcceptedSecondsMax,
    staleReadySecondsMax: outcome.probed.staleReadySecondsMax,
    faults: {
      ...Object.fromEntries([...outcome.faults].sort(([a], [b]) => (a < b ? -1 : 1))),
      ...(notRun > 0 ? { 'not run': notRun } : {}),
    },
  };
}

/** Name that distinguishes findings of one kind. */
function nameOf({ kind, eventId, tenantId, detail }: Finding): string {
  return kind === 'unbalanced' ? `${tenantId} ${detail}` : eventId;
}

/** Describes findings: cycle, faults, events and their places in the stream. */
export function evidence(outcome: ChaosOutcome, seed: number): string {
  const { findings, stuck, ledger, notRun, faults } = outcome;
  const missed = [...notRun].filter(([name]) => !faults.has(name));
  const lines = [...Map.groupBy(missed, ([, why]) => why)].map(
    ([why, cards]) => `not run: ${why}: ${cards.map(([name]) => name).join(', ')}`,
  );
  for (const { eventId, expected, got, message } of ledger.surprises.slice(0, SHOWN)) {
    lines.push(
      `another verdict than the simulation expects: ${eventId ?? 'no id'}: ${got}, not ${expected} (${message})`,
    );
  }
  if (stuck)
    lines.push(`SEED ${seed}, CYCLE ${stuck.cycle} (${stuck.faults.join(' + ')}) DID NOT RECOVER: ${stuck.why}`);
  for (const found of findings) {
    lines.push(`SEED ${seed}, CYCLE ${found.cycle} (${found.faults.join(' + ')}): ${found.findings.length} FAULTS`);
    lines.push(...found.findings.slice(0, SHOWN).map(describe));
    if (found.findings.length > SHOWN) lines.push(`  … and ${found.findings.length - SHOWN} more in evidence.json`);
  }
  return lines.map((line) => `${line}\n`).join('');
}

function describe({ kind, eventId, tenantId, reader, detail, receiptId }: Finding): string {
  const receipt = receiptId === undefined ? undefined : parseReceipt(receiptId);
  const where = receipt
    ? `; receipt ${receiptId}: shard ${receipt.shard}, message ${receipt.sequence}, batch ${receipt.batch}`
    : '';
  return `  ${kind}: ${eventId} of ${tenantId}: ${detail}, read by ${reader}${where}`;
}
