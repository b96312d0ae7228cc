import { delay } from '../../runtime/retry.ts';
import { startPrometheus } from '../monitoring/prometheus.ts';
import type { ChaosFault } from './fault.ts';
import type { Fleet } from './fleet.ts';

/** Alerts that say what a person must do about data, at once. Others tell that something is away, as many faults do. */
const GRAVE = [
  'SporStreamSetBack',
  'SporMessagesGone',
  'SporClocksDiffer',
  'SporTenantParked',
  'SporRightsDenied',
] as const;
export type GraveAlert = (typeof GRAVE)[number];

/** Grave alerts that a fault raises: for certain, or if it lasts long enough. */
export interface Alarms {
  must: readonly GraveAlert[];
  may: readonly GraveAlert[];
}

/** The grave alerts of a fault. Pure. */
export function alarmsOf(fault: ChaosFault): Alarms {
  switch (fault.kind) {
    case 'restore':
      // Services that were restarted, or found an empty server, do not remember what the stream held.
      return fault.restore === 'stream older' || fault.restore === 'stream older and grown'
        ? { must: ['SporStreamSetBack'], may: ['SporMessagesGone'] }
        : { must: [], may: ['SporStreamSetBack', 'SporMessagesGone'] };
    case 'clock':
    case 'expire by a wrong clock':
      return { must: [], may: ['SporClocksDiffer'] };
    default:
      return { must: [], may: [] };
  }
}

/**
 * Compares the alerts raised in a cycle with its faults. Pure.
 * @param before faults of earlier cycles, whose alerts look back for up to an hour
 * @returns a sentence for each alert that is missing, or that no fault explains
 */
export function alarmFaults(
  raised: ReadonlySet<string>,
  faults: readonly ChaosFault[],
  before: readonly ChaosFault[] = [],
): string[] {
  const missing = faults.flatMap((fault) => alarmsOf(fault).must).filter((name) => !raised.has(name));
  const explained = new Set<string>([...before, ...faults].map(alarmsOf).flatMap(({ must, may }) => [...must, ...may]));
  const unexplained = GRAVE.filter((name) => raised.has(name) && !explained.has(name));
  return [
    ...new Set(missing.map((name) => `${name} was not raised`)),
    ...unexplained.map((name) => `${name} was raised, and no fault explains it`),
  ];
}

/** Prometheus beside a run, and the alerts that it raises. */
export interface AlarmWatch {
  /** Names of the alerts raised since the last call. */
  taken: () => Set<string>;
  stop: () => Promise<void>;
}

const LOOK_MS = 500;

/** Starts Prometheus with the rules of deploy/monitoring, and notes each alert whose condition holds. */
export async function watchAlarms(program: string, fleet: Fleet): Promise<AlarmWatch> {
  const hosts = (urls: readonly string[]): string[] => urls.map((url) => new URL(url).host);
  const prometheus = await startPrometheus(program, {
    ingest: hosts(fleet.receiverUrls),
    processor: hosts(fleet.processorUrls),
    lake: hosts(fleet.queryUrls),
  });
  const stopped = new AbortController();
  let raised = new Set<string>();
  const look = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      for (const name of await prometheus.raised().catch(() => [])) raised.add(name); // it is starting
      await delay(LOOK_MS, stopped.signal);
    }
  };
  const looking = look();
  return {
    taken: () => {
      const since = raised;
      raised = new Set();
      return since;
    },
    stop: async () => {
      stopped.abort();
      await looking;
      await prometheus.stop();
    },
  };
}
