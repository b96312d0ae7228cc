import type { Ledger } from '../load/ledger.ts';

/** Rows by event id, from one reader of the lake. */
export type LakeIds = ReadonlyMap<string, number>;

/** Comparison of a tenant's stored and acknowledged events. */
export interface IdComparison {
  tenantId: string;
  /** Number of rows. */
  stored: number;
  /** Acknowledged ids without a row. */
  lost: string[];
  /** Ids in more than one row. */
  duplicated: string[];
  /** Ids with a row that this tenant was never acknowledged: rejected, another tenant's, or never sent. */
  foreign: string[];
}

/**
 * Compares a tenant's rows with the ledger, by id.
 *
 * Events without an answer (`unknown`) may be stored once or not at all.
 */
export function compare(tenantId: string, ledger: Pick<Ledger, 'accepted' | 'unknown'>, stored: LakeIds): IdComparison {
  const lost: string[] = [];
  for (const [id, known] of ledger.accepted) if (known.tenantId === tenantId && !stored.has(id)) lost.push(id);
  const duplicated: string[] = [];
  const foreign: string[] = [];
  let rows = 0;
  for (const [id, count] of stored) {
    rows += count;
    if (count > 1) duplicated.push(id);
    if (ledger.accepted.get(id)?.tenantId !== tenantId && !ledger.unknown.has(id)) foreign.push(id);
  }
  return { tenantId, stored: rows, lost, duplicated, foreign };
}

/** One sentence per kind of difference between lake and ledger. */
export function faultsOf(reader: string, { tenantId, lost, duplicated, foreign }: IdComparison): string[] {
  const say = (ids: string[], what: string): string[] =>
    ids.length === 0 ? [] : [`${ids.length} events of ${tenantId} ${what}, read by ${reader}, for instance ${ids[0]}`];
  return [
    ...say(lost, 'were acknowledged and are not in the lake'),
    ...say(duplicated, 'are in the lake more than once'),
    ...say(foreign, 'are in the lake but were not acknowledged for it'),
  ];
}

/** Differences between rejected events and rows of the quarantine, by code. */
export function quarantineFaults(
  tenantId: string,
  refused: ReadonlyMap<string, number>,
  quarantined: ReadonlyMap<string, number>,
): string[] {
  const codes = new Set([...refused.keys(), ...quarantined.keys()]);
  return [...codes].flatMap((code) => {
    const [want, have] = [refused.get(code) ?? 0, quarantined.get(code) ?? 0];
    return want === have
      ? []
      : [`the quarantine of ${tenantId} has ${have} events rejected with ${code}, ${want} were rejected`];
  });
}
