import type { Ledger } from '../load/ledger.ts';

/** Rows by event id, as one way of reading the lake found them. */
export type LakeIds = ReadonlyMap<string, number>;

/** How a tenant's stored events compare with what was acknowledged. */
export interface IdComparison {
  tenantId: string;
  /** Rows. */
  stored: number;
  /** Acknowledged, but in no row. */
  lost: string[];
  /** Ids in more than one row. */
  duplicated: string[];
  /** In a row, but never acknowledged to this tenant: refused, another tenant's, or never sent. */
  foreign: string[];
}

/**
 * Compares a tenant's rows with the ledger, id by id. Events whose answer never came (`unknown`) may be stored or not, but
 * once at most.
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

/** One sentence per way in which the lake differs from the ledger; none when all is well. */
export function faultsOf(reader: string, { tenantId, lost, duplicated, foreign }: IdComparison): string[] {
  const say = (ids: string[], what: string): string[] =>
    ids.length === 0 ? [] : [`${ids.length} events of ${tenantId} ${what}, read by ${reader}, for instance ${ids[0]}`];
  return [
    ...say(lost, 'were acknowledged and are not in the lake'),
    ...say(duplicated, 'are in the lake more than once'),
    ...say(foreign, 'are in the lake but were not acknowledged for it'),
  ];
}

/** Differences between refused events by code and the quarantine's rows by code. */
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
