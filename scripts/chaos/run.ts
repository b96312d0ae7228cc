import { join } from 'node:path';
import { LAKE_SETTINGS } from '../../lake/config.ts';
import { openStorage } from '../../lake/storage/open.ts';
import { readConfig } from '../../runtime/config.ts';
import { createLog } from '../../runtime/log.ts';
import type { NatsSettings } from '../../stream/credentials.ts';
import { connectNats, type NatsConnection } from '../../stream/nats.ts';
import { delay } from '../../runtime/retry.ts';
import { grantAccess } from '../access.ts';
import type { SmallDisk } from './disk.ts';
import { watchAlarms } from './alarms.ts';
import { AuditChecker } from './auditChecker.ts';
import { acknowledgeEarly } from './earlyAck.ts';
import { createDecisions } from './decisions.ts';
import type { Disk } from './fault.ts';
import type { Fleet } from './fleet.ts';
import { openLedgerFile, type ChaosLedger } from './ledgerFile.ts';
import { createOperator } from './operator.ts';
import type { Control, Plan } from './plan.ts';
import { openProbe, type ProbeResult } from './probe.ts';
import { watchStepEvents } from './stepEvents.ts';
import { CyclePlayer } from './cyclePlayer.ts';
import { allShops, PROBE_TENANTS } from './tenants.ts';
import type { Finding } from './verify.ts';

export interface ChaosOptions {
  fleet: Fleet;
  plan: Plan;
  dir: string;
  disks: Partial<Record<Disk, SmallDisk>>;
  /** Path of Prometheus, to compare alerts with faults; absent: they are not compared. */
  prometheus?: string;
  /** Guard to break, to see that losses are found. */
  control: Control | undefined;
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
  /** Acknowledged events that are missing, and whose loss an operator accepted. */
  acceptedLosses: ReadonlySet<string>;
  /** Number of tried marks of completeness. */
  marks: number;
  /** Broken promises; empty for a good run. */
  findings: { cycle: number; faults: string[]; findings: Finding[] }[];
  /** Alerts that were missing, or that no fault explains. */
  alarms: string[];
  /** Reason why a cycle did not recover. */
  stuck?: { cycle: number; faults: string[]; why: string };
  recoverySecondsMax: number;
  /** What a sender beside the load saw of the receiver. */
  probed: ProbeResult;
  /** Number of faults by kind. */
  faults: Map<string, number>;
  notRun: Map<string, string>;
}

/** Plays cycles until one has a finding, or all are done. */
export async function runChaos(options: ChaosOptions): Promise<ChaosOutcome> {
  const { fleet, plan, dir, log } = options;
  const access = await grantAccess({
    nats: fleet.nats,
    replicas: fleet.cluster ? 3 : 1,
    shops: [...allShops(plan.cycles.length), ...PROBE_TENANTS.map((tenantId) => ({ tenantId, segments: [] }))],
    label: 'chaos',
  });
  const connect = (access: NatsSettings): Promise<NatsConnection> =>
    connectNats({ url: access.natsUrl, access, name: 'spor-chaos', log: createLog('chaos', 'silent') });
  const connection = await connect(fleet.nats);
  const watcher = await connect(fleet.watcher);
  const config = readConfig(LAKE_SETTINGS, fleet.env);
  const storage = await openStorage(config.lakeUrl, config);
  const ledger = openLedgerFile(join(dir, 'ledger.ndjson'));
  const decisions = createDecisions(ledger);
  const ended = new AbortController();
  const alarms = options.prometheus === undefined ? undefined : await watchAlarms(options.prometheus, fleet);
  const auditChecker = await AuditChecker.open({ connection, storage, workDir: join(dir, 'audit'), ledger, decisions });
  const probes = await Promise.all(fleet.receiverUrls.map((url) => openProbe({ url, connection, ledger })));
  const early = options.control === 'acknowledgement' ? keepAcknowledging(connection, ended.signal) : undefined;
  try {
    const run = new CyclePlayer(options, {
      access,
      connection,
      stepEvents: watchStepEvents(watcher),
      storage,
      lakeUrl: config.lakeUrl,
      ledger,
      decisions,
      operator: createOperator(fleet.env),
      auditChecker,
      probes,
      ...(alarms ? { alarms } : {}),
    });
    await run.play();
    return run.outcome;
  } finally {
    ended.abort();
    await early;
    await alarms?.stop();
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
