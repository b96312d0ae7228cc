import type { Storage } from '../../lake/storage/storage.ts';
import { delay } from '../../runtime/retry.ts';
import { createRegistry } from '../../schemas/registry.ts';
import { vacuumTenant, type LakeReader, type LeftOvers } from './lakeIds.ts';
import type { AuditChecker } from './auditChecker.ts';
import type { Decisions } from './decisions.ts';
import type { ChaosLedger } from './ledgerFile.ts';
import { acceptedLosses, findFaults, type Finding } from './verify.ts';

export interface CheckerOptions {
  snapshot: LakeReader;
  glob: LakeReader;
  storage: Storage;
  ledger: ChaosLedger;
  decisions: Decisions;
  auditChecker: AuditChecker;
  /** Rows of events by tenant in the last snapshot. */
  stored: Map<string, number>;
  /** Acknowledged events that are missing, and whose loss an operator accepted. */
  acceptedLosses: Set<string>;
}

/** Several times a processor's start, takeover and first window. */
const QUIET_MS = 6_000;
/** Time for the next owner to delete a dead one's uploads. */
const CLEAN_UP_MS = 60_000;
const LOOK_MS = 200;
const TENANTS_AT_ONCE = 4;

/** Compares the lake with the ledger through both readers. */
export class Checker {
  readonly #options: CheckerOptions;
  readonly #registry = createRegistry();

  constructor(options: CheckerOptions) {
    this.#options = options;
  }

  /**
   * Compares, and repeats while only the bare glob sees duplicates.
   *
   * The next owner first has to delete the files of a dead one. `rightMs` is the start of the comparison without
   * findings, by `performance.now()`.
   * @param leftOvers of compactions, which a bare glob sees until a vacuum
   */
  async compareWhenClean(
    tenants: readonly string[],
    leftOvers: LeftOvers,
  ): Promise<{ findings: Finding[]; rightMs: number }> {
    const deadline = performance.now() + CLEAN_UP_MS;
    for (;;) {
      const rightMs = performance.now();
      const findings = await this.compare(tenants, leftOvers);
      const mayPass = findings.every(({ kind, reader }) => kind === 'duplicated' && reader === this.#options.glob.name);
      if (findings.length === 0 || !mayPass || performance.now() > deadline) return { findings, rightMs };
      await delay(LOOK_MS);
    }
  }

  async compare(tenants: readonly string[], leftOvers: LeftOvers): Promise<Finding[]> {
    const { snapshot, glob, storage, ledger, decisions, auditChecker } = this.#options;
    const known = { ...ledger, ...decisions };
    const compareOne = async (tenantId: string): Promise<Finding[]> => {
      const rows = await snapshot.read(tenantId);
      this.#options.stored.set(tenantId, sum(rows.events.values()));
      for (const id of acceptedLosses(tenantId, known, rows)) this.#options.acceptedLosses.add(id);
      await vacuumTenant(storage, this.#registry, { tenantId, leftOvers });
      return [
        ...findFaults(tenantId, known, rows, snapshot.name),
        ...findFaults(tenantId, known, await glob.read(tenantId), glob.name),
      ];
    };
    const findings: Finding[] = [];
    for (let at = 0; at < tenants.length; at += TENANTS_AT_ONCE) {
      const some = tenants.slice(at, at + TENANTS_AT_ONCE);
      findings.push(...(await Promise.all(some.map(compareOne))).flat(), ...(await auditChecker.reconcile(some)));
    }
    return findings;
  }

  /** Waits for quiet, where an acknowledgement proves nothing. */
  async quiet(tenants: readonly string[]): Promise<void> {
    const rows = async (): Promise<number> => {
      const read = await Promise.all(tenants.map((tenantId) => this.#options.snapshot.read(tenantId)));
      return sum(read.flatMap(({ events, quarantine }) => [...events.values(), ...quarantine.values()]));
    };
    for (let before = -1, now = await rows(); now !== before;) {
      await delay(QUIET_MS);
      [before, now] = [now, await rows()];
    }
  }
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
