import type { Storage } from '../../lake/storage/storage.ts';
import type { NatsConnection } from '../../stream/nats.ts';
import type { SentBatch } from '../load/ledger.ts';
import type { Random } from '../shop/random.ts';
import type { Shop } from '../shop/shops.ts';
import type { Decisions } from './decisions.ts';
import type { SmallDisk } from './disk.ts';
import type { Disk } from './fault.ts';
import type { Fleet } from './fleet.ts';
import type { ChaosLedger } from './ledgerFile.ts';
import type { Operator } from './operator.ts';
import type { StepEvents } from './stepEvents.ts';

/** Targets and tools of the faults. */
export interface ChaosContext {
  fleet: Fleet;
  stepEvents: StepEvents;
  disks: Partial<Record<Disk, SmallDisk>>;
  /** Chooses one of several processes, if no event names one. */
  random: Random;
  /** The shops of the cycle. */
  shops: readonly Shop[];
  dir: string;
  connection: NatsConnection;
  storage: Storage;
  ledger: ChaosLedger;
  decisions: Decisions;
  operator: Operator;
  /** Whether a loss is accepted, as an operator does; not in the negative control. */
  acceptsLoss: boolean;
  /** Runs a task while audits rest; they read all tables anew afterwards. */
  withoutAudits: (task: () => Promise<void>) => Promise<void>;
  /** Sends a batch beside the load, until its outcome is known or it is given up. */
  send: (batch: SentBatch) => Promise<void>;
  /** Sends a signal to the S3 service, if it holds the lake; false while it is down. */
  signalS3?: (signal: NodeJS.Signals) => Promise<boolean>;
}

/** What became of a fault. */
export type Injected =
  | { ran: false; why: string }
  | {
      ran: true;
      /** Time of its last restoration, by `performance.now()`. */
      endedAtMs: number;
      /** Work of an operator while events are not in the lake yet. */
      tend?: () => Promise<void>;
      /** Work of an operator once all events are in the lake. */
      afterCommit?: () => Promise<void>;
    };

export function ended(more: Pick<Extract<Injected, { ran: true }>, 'tend' | 'afterCommit'> = {}): Injected {
  return { ran: true, endedAtMs: performance.now(), ...more };
}
