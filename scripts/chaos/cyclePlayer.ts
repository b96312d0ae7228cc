import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import type { Storage } from '../../lake/storage/storage.ts';
import { delay } from '../../runtime/retry.ts';
import type { NatsConnection } from '../../stream/nats.ts';
import type { ShopAccess } from '../access.ts';
import type { SentBatch } from '../load/ledger.ts';
import type { Sender } from '../load/sender.ts';
import { createQueryClient } from '../queryClient.ts';
import { createRandom } from '../shop/random.ts';
import { allCommitted } from '../stack/committed.ts';
import { alarmFaults, type AlarmWatch } from './alarms.ts';
import type { AuditChecker } from './auditChecker.ts';
import { Checker } from './checker.ts';
import type { ChaosContext, Injected } from './context.ts';
import type { Decisions } from './decisions.ts';
import { faultName } from './fault.ts';
import { inject } from './inject.ts';
import { globReader, snapshotReader, type LeftOvers } from './lakeIds.ts';
import type { ChaosLedger } from './ledgerFile.ts';
import { createChaosSender, playLoad } from './load.ts';
import type { Operator } from './operator.ts';
import type { Cycle } from './plan.ts';
import { worstOf, type Probe } from './probe.ts';
import type { ChaosOptions, ChaosOutcome } from './run.ts';
import type { StepEvents } from './stepEvents.ts';
import { allShops, CYCLES_EACH, PROBE_TENANTS, shopsOf } from './tenants.ts';
import type { Finding } from './verify.ts';

const LEAST_LOAD_MS = 1_200;
/** Time that the load continues after the faults. */
const AFTER_LOAD_MS = 500;
const RECOVERY_MS = 90_000;
/** Time between two looks of an operator. */
const TEND_EVERY_MS = 500;

interface PlayerDependencies {
  access: ShopAccess;
  connection: NatsConnection;
  stepEvents: StepEvents;
  storage: Storage;
  lakeUrl: string;
  ledger: ChaosLedger;
  decisions: Decisions;
  operator: Operator;
  auditChecker: AuditChecker;
  probes: readonly Probe[];
  alarms?: AlarmWatch;
}

/** Plays cycles: faults under load, then the comparison. */
export class CyclePlayer {
  readonly #options: ChaosOptions;
  readonly #dependencies: PlayerDependencies;
  readonly #checkers: readonly Checker[];
  readonly #acknowledged: SentBatch[] = [];
  readonly outcome: ChaosOutcome;

  constructor(options: ChaosOptions, dependencies: PlayerDependencies) {
    const { fleet, dir } = options;
    const { access, storage, lakeUrl, ledger, decisions, auditChecker } = dependencies;
    this.#options = options;
    this.#dependencies = dependencies;
    const stored = new Map<string, number>();
    const losses = new Set<string>();
    const glob = globReader({ lakeUrl, storage, copyTo: join(dir, 'lake-copy') });
    this.#checkers = fleet.queryUrls.map((url) => {
      const snapshot = snapshotReader(createQueryClient(url), access.tokenOf);
      return new Checker({ snapshot, glob, storage, ledger, decisions, auditChecker, stored, acceptedLosses: losses });
    });
    this.outcome = {
      cycles: 0,
      ledger,
      stored,
      acceptedLosses: losses,
      marks: 0,
      findings: [],
      alarms: [],
      recoverySecondsMax: 0,
      probed: worstOf([]),
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
    const tenants = [...PROBE_TENANTS, ...allShops(this.outcome.cycles).map(({ tenantId }) => tenantId)];
    // Processors have compacted older files, and died in it. Their leftovers can be removed only when all of them have
    // stopped.
    const { fleet } = this.#options;
    await Promise.all(fleet.members('processor').map((name) => fleet.retire(name)));
    const { findings } = await this.#checkers[0]!.compareWhenClean(tenants, 'all, by any clock');
    if (findings.length === 0) return;
    this.outcome.findings.push({ cycle: last.number, faults: ['all cycles before'], findings });
    await this.#keepEvidence();
  }

  /** Plays a cycle; false if it has a finding. */
  async #cycle(cycle: Cycle): Promise<boolean> {
    const { log, control } = this.#options;
    const { ledger } = this.#dependencies;
    const faults = cycle.faults.map(faultName);
    const tenants = shopsOf(cycle.number).map(({ tenantId }) => tenantId);
    const checker = this.#checkers[cycle.number % this.#checkers.length]!;
    const startedMs = performance.now();
    const { injected, claims } = await this.#underLoad(cycle, tenants);
    this.#note(cycle, injected);
    const ran = injected.filter((result) => result.ran);
    const overMs = Math.max(startedMs + LEAST_LOAD_MS, ...ran.map(({ endedAtMs }) => endedAtMs));
    const why = await this.#untilCommitted(injected);
    if (why !== undefined) {
      this.outcome.stuck = { cycle: cycle.number, faults, why };
      return false;
    }
    if (control === 'acknowledgement') await checker.quiet(tenants);
    const { findings: found, rightMs } = await checker.compareWhenClean(tenants, leftOversOf(cycle));
    const findings = [...claims, ...found];
    const recoverySeconds = (rightMs - overMs) / 1000;
    this.outcome.recoverySecondsMax = Math.max(this.outcome.recoverySecondsMax, recoverySeconds);
    const tookSeconds = (performance.now() - startedMs) / 1000;
    log(
      `cycle ${cycle.number}: ${faults.join(' + ')}: recovered in ${recoverySeconds.toFixed(1)} s, took ${tookSeconds.toFixed(1)} s, ` +
        `${ledger.accepted.size} acknowledged so far, ${findings.length} faults found`,
    );
    this.#compareAlarms(cycle, ran.length);
    if (findings.length === 0) return true;
    this.outcome.findings.push({ cycle: cycle.number, faults, findings });
    return false;
  }

  /** Compares the alerts of a cycle with its faults. */
  #compareAlarms({ number, faults }: Cycle, ran: number): void {
    const { alarms } = this.#dependencies;
    if (!alarms) return;
    const raised = alarms.taken();
    const { log, plan } = this.#options;
    const before = plan.cycles.filter((cycle) => cycle.number < number).flatMap((cycle) => cycle.faults);
    // What did not run need not be heard of.
    const found =
      ran === faults.length ? alarmFaults(raised, faults, before) : alarmFaults(raised, [], [...before, ...faults]);
    log(`cycle ${number}: alerts: ${[...raised].sort().join(', ') || 'none'}`);
    this.outcome.alarms.push(
      ...found.map((fault) => `cycle ${number}, ${faults.map(faultName).join(' + ')}: ${fault}`),
    );
  }

  /** Injects the faults of a cycle at once, under load, with probes and marks beside it. */
  async #underLoad(cycle: Cycle, tenants: readonly string[]): Promise<{ injected: Injected[]; claims: Finding[] }> {
    const { fleet, control } = this.#options;
    const { access, ledger, auditChecker, probes } = this.#dependencies;
    const shops = shopsOf(cycle.number);
    const loadEnds = new AbortController();
    const sending = { urls: fleet.ingestUrls, keyOf: access.keyOf, ledger };
    const load = playLoad({ ...sending, shops, cycle, acknowledged: this.#acknowledged, signal: loadEnds.signal });
    // Negative controls break what marks rest on.
    const marks = auditChecker.watchMarks(control === undefined ? tenants : [], loadEnds.signal);
    // A store that goes back takes revocations along.
    const revokes = cycle.faults.every(({ kind }) => kind !== 'restore');
    const watched = probes.map((probe) => probe.watch(loadEnds.signal, { revokes }));
    marks.catch(() => undefined); // it is awaited below, and may fail before
    const sender = createChaosSender({ ...sending, giveUpMs: cycle.giveUpMs });
    let injected: Injected[] = [];
    try {
      injected = await this.#inject(cycle, sender);
    } finally {
      loadEnds.abort();
      // They write to the ledger until their last answers.
      await tended(Promise.all([load, ...watched]), injected);
      sender.close();
      this.outcome.probed = worstOf(probes.map(({ result }) => result));
    }
    const claims = await marks;
    this.outcome.marks = auditChecker.marks;
    return { injected, claims };
  }

  async #inject(cycle: Cycle, { send }: Sender): Promise<Injected[]> {
    const { fleet, dir, disks, control, signalS3 } = this.#options;
    const { stepEvents, connection, storage, ledger, decisions, operator, auditChecker } = this.#dependencies;
    const context: ChaosContext = {
      fleet,
      dir,
      disks,
      stepEvents,
      connection,
      storage,
      ledger,
      decisions,
      operator,
      send,
      shops: shopsOf(cycle.number),
      random: createRandom(cycle.loadSeed).fork('targets'),
      acceptsLoss: control !== 'restore',
      withoutAudits: (task) => auditChecker.restartedAfter(task),
      ...(signalS3 ? { signalS3 } : {}),
    };
    const least = delay(LEAST_LOAD_MS);
    const injected = await Promise.all(cycle.faults.map((fault) => inject(fault, context)));
    await least;
    await delay(AFTER_LOAD_MS);
    return injected;
  }

  /** Counts the faults of a cycle, and those that did not run. */
  #note({ number, faults }: Cycle, injected: readonly Injected[]): void {
    for (const [index, result] of injected.entries()) {
      const name = faultName(faults[index]!);
      if (result.ran) this.outcome.faults.set(name, (this.outcome.faults.get(name) ?? 0) + 1);
      else {
        this.outcome.notRun.set(name, result.why);
        this.#options.log(`cycle ${number}: ${name} was not run: ${result.why}`);
      }
    }
  }

  /** Waits until all is in the lake, with the operator's help; the reason if it takes too long. */
  async #untilCommitted(injected: readonly Injected[]): Promise<string | undefined> {
    const { connection } = this.#dependencies;
    const why = await tended(allCommitted(connection, { withinMs: RECOVERY_MS }), injected);
    if (why !== undefined) return why;
    for (const result of injected) if (result.ran) await result.afterCommit?.();
    return allCommitted(connection, { withinMs: RECOVERY_MS });
  }

  /** Copies the lake, whose disk may end with this run. */
  async #keepEvidence(): Promise<void> {
    const { dir, disks } = this.#options;
    if (disks.lake) await cp(join(dir, 'lake'), join(dir, 'lake-at-failure'), { recursive: true });
  }
}

/** Leftovers of a cycle: only a compaction or an operator's command that is ended before its commit leaves an orphan. */
function leftOversOf({ faults }: Cycle): LeftOvers {
  if (faults.some(({ kind }) => kind === 'expire by a wrong clock')) return 'all, by any clock';
  if (faults.some(({ kind }) => kind === 'operate' || kind === 'restore')) return 'replaced and orphans';
  const steps = faults.flatMap((fault) => (fault.kind === 'compaction' ? [fault.step] : []));
  if (steps.length === 0) return 'nothing';
  return steps.includes('after-upload') ? 'replaced and orphans' : 'replaced';
}

/** Awaits a task, while an operator tends what the faults have left. */
async function tended<T>(task: Promise<T>, injected: readonly Injected[]): Promise<T> {
  const tending = injected.flatMap((result) => (result.ran && result.tend ? [result.tend] : []));
  const ended = new AbortController();
  const done = task.finally(() => ended.abort());
  const tend = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      for (const one of tending) await one();
      await delay(TEND_EVERY_MS, ended.signal);
    }
  };
  const [result] = await Promise.all([done, tending.length > 0 ? tend() : undefined]);
  return result;
}
