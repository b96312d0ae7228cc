import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { LAKE_SETTINGS } from '../../lake/config.ts';
import { openStorage } from '../../lake/storage/open.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { readConfig } from '../../runtime/config.ts';
import { createLog } from '../../runtime/log.ts';
import type { NatsSettings } from '../../stream/credentials.ts';
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
import { watchStepEvents, type StepEvents } from './stepEvents.ts';
import { openProbe, type Probe, type ProbeResult } from './probe.ts';
import { allShops, CYCLES_EACH, PROBE_TENANT, shopsOf } from './tenants.ts';
import type { Finding } from './verify.ts';

export interface ChaosOptions {
  fleet: Fleet;
  plan: Plan;
  dir: string;
  disks: Partial<Record<Disk, SmallDisk>>;
  /** Whether to acknowledge before the commit, to see that losses are found. */
  negativeControl: boolean;
  /** Sends a signal to the S3 service, if it holds the lake; false while it is down. */
  signalS3?: (signal: NodeJS.Signals) => Promise<boolean>;
  signal: AbortSignal;
  log: (line: string) => void;
}

/** Result of a run. */
export interface ChaosOutcome {
  /** Number of complete cycles. */
  cycles: number;
  ledger: ChaosLedger;
  /** Rows of events by tenant, as the query server last reported them. */
  stored: ReadonlyMap<string, number>;
  /** Number of tried marks of completeness. */
  marks: number;
  /** Broken promises; empty for a good run. */
  findings: { cycle: number; faults: string[]; findings: Finding[] }[];
  /** Reason why a cycle did not recover. */
  stuck?: { cycle: number; faults: string[]; why: string };
  recoverySecondsMax: number;
  /** What a sender beside the load saw of the receiver. */
  probed: ProbeResult;
  /** Number of faults by kind. */
  faults: Map<string, number>;
  notRun: Map<string, string>;
}

const LEAST_LOAD_MS = 1_200;
/** Time that the load continues after the faults. */
const AFTER_LOAD_MS = 500;
const RECOVERY_MS = 90_000;

/** Plays cycles until one has a finding, or all are done. */
export async function runChaos(options: ChaosOptions): Promise<ChaosOutcome> {
  const { fleet, plan, dir, log } = options;
  const access = await grantAccess({
    nats: fleet.nats,
    replicas: 1,
    shops: [...allShops(plan.cycles.length), { tenantId: PROBE_TENANT, segments: [] }],
    label: 'chaos',
  });
  const connect = (access: NatsSettings): Promise<NatsConnection> =>
    connectNats({ url: access.natsUrl, access, name: 'spor-chaos', log: createLog('chaos', 'silent') });
  const connection = await connect(fleet.nats);
  const watcher = await connect(fleet.watcher);
  const config = readConfig(LAKE_SETTINGS, fleet.env);
  const storage = await openStorage(config.lakeUrl, config);
  const ledger = openLedgerFile(join(dir, 'ledger.ndjson'));
  const ended = new AbortController();
  const auditChecker = await AuditChecker.open({ connection, storage, workDir: join(dir, 'audit'), ledger });
  const probe = await openProbe({ url: fleet.receiverUrl, connection, ledger });
  const early = options.negativeControl ? keepAcknowledging(connection, ended.signal) : undefined;
  try {
    const stepEvents = watchStepEvents(watcher);
    const { lakeUrl } = config;
    const run = new Run(options, { access, connection, stepEvents, storage, lakeUrl, ledger, auditChecker, probe });
    await run.play();
    return run.outcome;
  } finally {
    ended.abort();
    await early;
    await auditChecker.close();
    storage.close();
    ledger.close();
    await watcher.close();
    await connection.close();
    log(`the ledger is in ${join(dir, 'ledger.ndjson')}`);
  }
}

/** Acknowledges early, and restarts after faults. */
async function keepAcknowledging(connection: NatsConnection, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await acknowledgeEarly(connection, signal).catch(() => delay(50, signal));
}

interface RunDependencies {
  access: ShopAccess;
  connection: NatsConnection;
  stepEvents: StepEvents;
  storage: Storage;
  lakeUrl: string;
  ledger: ChaosLedger;
  auditChecker: AuditChecker;
  probe: Probe;
}

class Run {
  readonly #options: ChaosOptions;
  readonly #dependencies: RunDependencies;
  readonly #context: Omit<ChaosContext, 'random' | 'tenants'>;
  readonly #checker: Checker;
  readonly #acknowledged: SentBatch[] = [];
  readonly outcome: ChaosOutcome;

  constructor(options: ChaosOptions, dependencies: RunDependencies) {
    const { fleet, dir, disks } = options;
    const { stepEvents, access, storage, lakeUrl, ledger, auditChecker, probe } = dependencies;
    this.#options = options;
    this.#dependencies = dependencies;
    const { signalS3 } = options;
    this.#context = { fleet, stepEvents, disks, dir, ...(signalS3 ? { signalS3 } : {}) };
    this.#checker = new Checker({
      snapshot: snapshotReader(createQueryClient(fleet.queryUrl), access.tokenOf),
      glob: globReader({ lakeUrl, storage, copyTo: join(dir, 'lake-copy') }),
      storage,
      ledger,
      auditChecker,
    });
    this.outcome = {
      cycles: 0,
      ledger,
      stored: this.#checker.stored,
      marks: 0,
      findings: [],
      recoverySecondsMax: 0,
      probed: probe.result,
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
    // A last comparison of all tenants finds the effects of later cycles on earlier tables.
    const last = cycles[this.outcome.cycles - 1];
    if (!last) return;
    const tenants = [PROBE_TENANT, ...allShops(this.outcome.cycles).map(({ tenantId }) => tenantId)];
    // Processors have compacted older files, and died in it. Their leftovers can be removed only when all of them have
    // stopped.
    await Promise.all(PROCESSORS.map((name) => this.#options.fleet.retire(name)));
    const { findings } = await this.#checker.compareWhenClean(tenants, 'all, by any clock');
    if (findings.length === 0) return;
    this.outcome.findings.push({ cycle: last.number, faults: ['all cycles before'], findings });
    await this.#keepEvidence();
  }

  /** Plays a cycle; false if it has a finding. */
  async #cycle(cycle: Cycle): Promise<boolean> {
    const { fleet, log } = this.#options;
    const { access, connection, ledger, auditChecker } = this.#dependencies;
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
    // The negative control acknowledges uncommitted events, so marks prove nothing.
    const marked = this.#options.negativeControl ? [] : tenants;
    const marks = auditChecker.watchMarks(marked, loadEnds.signal);
    const watched = this.#dependencies.probe.watch(loadEnds.signal);
    let injected: Injected[];
    let claims: Finding[];
    try {
      injected = await this.#inject(cycle, { ...this.#context, random, tenants });
    } finally {
      loadEnds.abort();
      await Promise.all([load, watched]); // they write to the ledger until their last answers
      claims = await marks;
      this.outcome.marks = auditChecker.marks;
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

  /** Injects the faults of a cycle at once, under load. */
  async #inject({ faults }: Cycle, context: ChaosContext): Promise<Injected[]> {
    const least = delay(LEAST_LOAD_MS);
    const injected = await Promise.all(faults.map((fault) => inject(fault, context)));
    await least;
    await delay(AFTER_LOAD_MS);
    return injected;
  }

  /** Copies the lake, whose disk may end with this run. */
  async #keepEvidence(): Promise<void> {
    const { dir, disks } = this.#options;
    if (disks.lake) await cp(join(dir, 'lake'), join(dir, 'lake-at-failure'), { recursive: true });
  }
}

/** Leftovers of a cycle: only a compaction that dies before its commit leaves an orphan. */
function leftOversOf({ faults }: Cycle): LeftOvers {
  const steps = faults.flatMap((fault) => (fault.kind === 'compaction' ? [fault.step] : []));
  if (steps.length === 0) return 'nothing';
  return steps.includes('after-upload') ? 'replaced and orphans' : 'replaced';
}
