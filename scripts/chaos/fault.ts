import type { CompactionStep } from '../../lake/maintenance/failpoint.ts';
import type { FlushStep } from '../../processor/failpoint.ts';
import { DAY_MS } from '../../runtime/units.ts';
import type { LinkMode } from './proxy.ts';

/** Targets of faults; of several processes of a role, one. A `processor` is the owner of an event's shard. */
export type Target = 'ingest' | 'nats' | 'processor' | 'lake' | 's3';

/** Steps of the services that show at the stream server. */
export const STEP_EVENTS = ['publish', 'lease', 'intent', 'acknowledge'] as const;
export type StepEvent = (typeof STEP_EVENTS)[number];

/** Start of a fault: a time after the load's start, or the nth event of a step. */
export type Moment = { afterMs: number } | { sign: StepEvent; count: number };

/** Links between processes. `clients-nats` and `nats-nats` are those of one server of a cluster. */
export const LINKS = [
  'client-ingest',
  'ingest-nats',
  'processor-nats',
  'processor-s3',
  'lake-nats',
  'lake-s3',
  'clients-nats',
  'nats-nats',
] as const;
export type Link = (typeof LINKS)[number];

/** Processes whose own clocks jump. */
export const CLOCKS = ['ingest', 'processor', 'lake', 'nats'] as const;

/** Ranges of a clock's shift: a drift of hours, and a wrong clock of years. */
export const CLOCK_JUMP_MS = {
  hours: { least: 60_000, most: 7_200_000 },
  years: { least: 366 * DAY_MS, most: 20 * 366 * DAY_MS },
};

export const DISKS = ['work', 'lake', 'stream'] as const;
export type Disk = (typeof DISKS)[number];

/** An operator's work beside the load. */
export const CHORES = ['erase', 'retention', 'retention and undo', 'replay', 'redrive', 'compact and vacuum'] as const;
export type Chore = (typeof CHORES)[number];

/** Stores that go back to an older state, after which the operator follows docs/operator.md. */
export const RESTORES = [
  /** The stream's store, while the services run on. */
  'stream older',
  /** The stream's store, with all services killed. */
  'stream older and all restarted',
  /** The stream's store, which takes events before a processor sees it. */
  'stream older and grown',
  /** An empty stream server, and a backup of "spor backup". */
  'stream emptied',
  /** All objects of the lake. */
  'lake older',
] as const;
export type Restore = (typeof RESTORES)[number];

export type ChaosFault =
  /** SIGKILL; `majority` are two of three stream servers. */
  | { kind: 'kill'; target: Target | 'everything' | 'majority'; at: Moment }
  /** A processor kills itself at a step of a flush. */
  | { kind: 'die'; step: FlushStep; count: number }
  /** A processor stops itself at a step, past its lease. */
  | { kind: 'expire-lease'; step: FlushStep; count: number; forMs: number }
  /** A compaction kills its process at a step. */
  | { kind: 'compaction'; step: CompactionStep }
  /** SIGSTOP, then SIGCONT. */
  | { kind: 'pause'; target: Target; at: Moment; forMs: number }
  | { kind: 'link'; link: Link; mode: LinkMode; at: Moment; forMs: number }
  | { kind: 'disk'; disk: Disk; at: Moment; forMs: number }
  | { kind: 'clock'; target: (typeof CLOCKS)[number]; byMs: number; at: Moment; forMs: number }
  | { kind: 'operate'; operation: Chore; at: Moment }
  /** `forMs` passes between the copy of the store and its return. */
  | { kind: 'restore'; restore: Restore; at: Moment; forMs: number }
  /** One stream server of a cluster starts again with an empty store. */
  | { kind: 'wipe'; at: Moment }
  /** A negative control: days expire by a clock that is wrong by this much. */
  | { kind: 'expire by a wrong clock'; byMs: number; at: Moment };

/** Name of a fault, such as `kill processor at intent`: a key of the result's `faults`. */
export function faultName(fault: ChaosFault): string {
  switch (fault.kind) {
    case 'kill':
      return `kill ${fault.target}${momentName(fault.at)}`;
    case 'die':
      return `die at ${fault.step}`;
    case 'expire-lease':
      return `expire lease at ${fault.step}`;
    case 'compaction':
      return `compaction dies at ${fault.step}`;
    case 'pause':
      return `pause ${fault.target}${momentName(fault.at)}`;
    case 'link':
      return `link ${fault.link} ${fault.mode}`;
    case 'disk':
      return `disk of ${fault.disk} full`;
    case 'clock':
      return `clock of ${fault.target} ${Math.abs(fault.byMs) < CLOCK_JUMP_MS.years.least ? '' : 'years '}${fault.byMs < 0 ? 'back' : 'ahead'}`;
    case 'operate':
      return fault.operation;
    case 'restore':
      return fault.restore;
    case 'wipe':
      return 'wipe one nats';
    case 'expire by a wrong clock':
      return fault.kind;
  }
}

function momentName(at: Moment): string {
  return 'sign' in at ? ` at ${at.sign}` : '';
}
