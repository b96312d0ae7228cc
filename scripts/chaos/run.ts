import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { LAKE_SETTINGS } from '../../lake/config.ts';
import { openStorage } from '../../lake/storage/open.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { readConfig } from '../../runtime/config.ts';
import { createLog } from '../../runtime/log.ts';
import { connectNats, type NatsConnection } from '../../stream/nats.ts';
import { delay } from '../../runtime/retry.ts';
import { grantAccess, type ShopAccess } from '../access.ts';
import type { SentBatch } from '../load/ledger.ts';
import { createQueryClient } from '../queryClient.ts';
import { createRandom } from '../shop/random.ts';
import { allCommitted } from '../stack/committed.ts';
import type { SmallDisk } from './disk.ts';
import { AuditChecker } from './auditChecker.ts';
import { Checker } from './checker.ts';
import { acknowledgeEarly } from './earlyAck.ts';
import { PROCESSORS, type Fleet } from './fleet.ts';
import { inject, type ChaosContext, type Injected } from './inject.ts';
import { globReader, snapshotReader, type LeftOvers } from './lakeIds.ts';
import { openLedgerFile, type ChaosLedger } from './ledgerFile.ts';
import { playLoad } from './load.ts';
import { faultName, type Cycle, type Disk, type Plan } from './plan.ts';
import { watchStepEvents } from './stepEvents.ts';
import { allShops, CYCLES_EACH, shopsOf } from './tenants.ts';
import type { Finding } from './verify.ts';

export interface ChaosOptions {
  fleet: Fleet;
  plan: Plan;
  dir: string;
  disks: Partial<Record<Disk, SmallDisk>>;
  /** Acknowledge before the commit, to see that losses are found. */
  negativeControl: boolean;
  /** Sends a signal to the S3 service, where the lake is in one; false where it is down. */
  signalS3?: (signal: NodeJS.Signals) => Promise<boolean>;
  signal: AbortSignal;
  log: (line: string) => void;
}

/** What a run found out. */
export interface ChaosOutcome {
  /** Cycles that were played to their end. */
  cycles: number;
  ledger: ChaosLedger;
  /** Rows of events by tenant, as the query server last saw them. */
  stored: ReadonlyMap<string, number>;
  /** How often a mark of completeness was tried. */
  marks: number;
  /** What is not as promised; empty when all is well. */
  findings: { cycle: number; faults: string[]; findings: Finding[] }[];
  /** Why a cycle did not recover. */
  stuck?: { cycle: number; faults: string[]; why: string };
  recoverySecondsMax: number;
  /** How often each kind of fault was done. */
  faults: Map<string, number>;
  notRun: Map<string, string>;
}

const LEAST_LOAD_MS = 1_200;
/** The load goes on for this long after the faults, into what follows them. */
const AFTER_LOAD_MS = 500;
const RECOVERY_MS = 90_000;

/** Plays the cycles until one shows a fault or all are done. */
export async function runChaos(options: ChaosOptions): Promise<ChaosOutcome> {
  const { fleet, plan, dir, log } = options;
  const access = await grantAccess({
    natsUrl: fleet.natsUrl,
    replicas: 1,
    shops: allShops(plan.cycles.length),
    label: 'chaos',
  });
  const connection = await connectNats({ url: fleet.natsUrl, name: 'spor-chaos', log: createLog('chaos', 'silent') });
  const config = readConfig(LAKE_SETTINGS, fleet.env);
  const storage = await openStorage(config.lakeUrl, config);
  const ledger = openLedgerFile(join(dir, 'ledger.ndjson'));
  const ended = new AbortController();
  const books = await AuditChecker.open({ connection, storage, workDir: join(dir, 'books'), ledger });
  const early = options.negativeControl ? keepAcknowledging(connection, ended.signal) : undefined;
  try {
    const run = new Run(options, { access, connection, storage, lakeUrl: config.lakeUrl, ledger, books });
    await run.play();
    return run.outcome;
  } finally {
    ended.abort();
    await early;
    await books.close();
    storage.close();
    ledger.close();
    await connection.close();
    log(`the ledger is in ${join(dir, 'ledger.ndjson')}`);
  }
}

/** Goes on after what the faults do to it. */
async function keepAcknowledging(connection: NatsConnection, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await acknowledgeEarly(connection, signal).catch(() => delay(50, signal));
}

interface RunDependencies {
  access: ShopAccess;
  connection: NatsConnection;
  storage: Storage;
  lakeUrl: string;
  ledger: ChaosLedger;
  books: AuditChecker;
}

class Run {
  readonly #options: ChaosOptions;
  readonly #means: RunDependencies;
  readonly #arena: Omit<ChaosContext, 'random' | 'tenants'>;
  readonly #checker: Checker;
  readonly #acknowledged: SentBatch[] = [];
  readonly outcome: ChaosOutcome;

  constructor(options: ChaosOptions, means: RunDependencies) {
    const { fleet, dir, disks } = options;
    const { connection, access, storage, lakeUrl, ledger, books } = means;
    this.#options = options;
    this.#means = means;
    const { signalS3 } = options;
    this.#arena = { fleet, stepEvents: watchStepEvents(connection), disks, dir, ...(signalS3 ? { signalS3 } : {}) };
    this.#checker = new Checker({
      snapshot: snapshotReader(createQueryClient(fleet.queryUrl), access.tokenOf),
      glob: globReader({ lakeUrl, storage, copyTo: join(dir, 'lake-copy') }),
      storage,
      ledger,
      books,
    });
    this.outcome = {
      cycles: 0,
      ledger,
      stored: this.#checker.stored,
      marks: 0,
      findings: [],
      recoverySecondsMax: 0,
      faults: new Map(),
      notRun: new Map(options.plan.notRun),
    };
  }

  async play(): Promise<void> {
    const { plan, signal } = this.#options;
    const { cycles } = plan;
    for (const cycle of cycles) {
      if (signal.aborted) break;
      if (cycle.number % CYCLES_EACH === 0) this.#acknowledged.length = 0;
      if (!(await this.#cycle(cycle))) return this.#keepEvidence();
      this.outcome.cycles++;
    }
    // Once more all of it: what a later cycle did to the tables of an earlier one.
    const last = cycles[this.outcome.cycles - 1];
    if (!last) return;
    const tenants = allShops(this.outcome.cycles).map(({ tenantId }) => tenantId);
    // Processors have compacted what is older than some minutes, and were killed in the middle of it. What that left can
    // only be taken out of a bare glob's sight once nobody goes on compacting.
    await Promise.all(PROCESSORS.map((name) => this.#options.fleet.retire(name)));
    const { findings } = await this.#checker.compareWhenClean(tenants, 'all, by any clock');
    if (findings.length === 0) return;
    this.outcome.findings.push({ cycle: last.number, faults: ['all cycles before'], findings });
    await this.#keepEvidence();
  }

  /** False when it showed a fault. */
  async #cycle(cycle: Cycle): Promise<boolean> {
    const { fleet, log } = this.#options;
    const { access, connection, ledger, books } = this.#means;
    const faults = cycle.faults.map(faultName);
    const shops = shopsOf(cycle.number);
    const tenants = shops.map(({ tenantId }) => tenantId);
    const random = createRandom(cycle.loadSeed).fork('targets');
    const loadEnds = new AbortController();
    const startedMs = performance.now();
    const load = playLoad({
      url: fleet.ingestUrl,
      keyOf: access.keyOf,
      ledger,
      shops,
      cycle,
      acknowledged: this.#acknowledged,
      signal: loadEnds.signal,
    });
    // The negative control acknowledges what is not committed: there is nothing to be said of marks.
    const watched = this.#options.negativeControl ? [] : tenants;
    const marks = books.watchMarks(watched, loadEnds.signal);
    let injected: Injected[];
    let claims: Finding[];
    try {
      injected = await this.#inject(cycle, { ...this.#arena, random, tenants });
    } finally {
      loadEnds.abort();
      await load; // it writes to the ledger until its last answer
      claims = await marks;
      this.outcome.marks = books.marks;
    }
    let overMs = startedMs + LEAST_LOAD_MS;
    for (const [index, result] of injected.entries()) {
      const name = faults[index]!;
      if (result.ran) {
        this.outcome.faults.set(name, (this.outcome.faults.get(name) ?? 0) + 1);
        overMs = Math.max(overMs, result.endedAtMs);
      } else {
        this.outcome.notRun.set(name, result.why);
        log(`cycle ${cycle.number}: ${name} was not run: ${result.why}`);
      }
    }
    const why = await allCommitted(connection, { withinMs: RECOVERY_MS });
    if (why !== undefined) {
      this.outcome.stuck = { cycle: cycle.number, faults, why };
      return false;
    }
    if (this.#options.negativeControl) await this.#checker.quiet(tenants);
    const { findings: found, rightMs } = await this.#checker.compareWhenClean(tenants, leftOversOf(cycle));
    const findings = [...claims, ...found];
    const recoverySeconds = (rightMs - overMs) / 1000;
    this.outcome.recoverySecondsMax = Math.max(this.outcome.recoverySecondsMax, recoverySeconds);
    const tookSeconds = (performance.now() - startedMs) / 1000;
    log(
      `cycle ${cycle.number}: ${faults.join(' + ')}: recovered in ${recoverySeconds.toFixed(1)} s, took ${tookSeconds.toFixed(1)} s, ` +
        `${ledger.accepted.size} acknowledged so far, ${findings.length} faults found`,
    );
    if (findings.length === 0) return true;
    this.outcome.findings.push({ cycle: cycle.number, faults, findings });
    return false;
  }

  /** Does the faults of a cycle at the same time, and leaves the load some time before and after them. */
  async #inject({ faults }: Cycle, arena: ChaosContext): Promise<Injected[]> {
    const least = delay(LEAST_LOAD_MS);
    const injected = await Promise.all(faults.map((fault) => inject(fault, arena)));
    await least;
    await delay(AFTER_LOAD_MS);
    return injected;
  }

  /** The lake may lie on a disk that goes with this run. */
  async #keepEvidence(): Promise<void> {
    const { dir, disks } = this.#options;
    if (disks.lake) await cp(join(dir, 'lake'), join(dir, 'lake-at-failure'), { recursive: true });
  }
}

/** Only a compaction that dies between its upload and its commit leaves a file that is in no table. */
function leftOversOf({ faults }: Cycle): LeftOvers {
  const steps = faults.flatMap((fault) => (fault.kind === 'compaction' ? [fault.step] : []));
  if (steps.length === 0) return 'nothing';
  return steps.includes('after-upload') ? 'replaced and orphans' : 'replaced';
}
