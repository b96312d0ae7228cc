import { AckPolicy, DeliverPolicy, type JetStreamManager, type StreamInfo } from '@nats-io/jetstream';

export interface TrimState {
  firstSequence: number;
  lastSequence: number;
  bytes: number;
  /** -1: no limit. */
  maxBytes: number;
  /** Last committed sequence. */
  floor: number;
  /** First sequence that is young enough to be kept; undefined: all are. */
  firstYoung: number | undefined;
}

/** Trimming begins above this share of the stream's bytes … */
const HIGH_WATER = 0.8;
/** … and goes on down to this one. */
const LOW_WATER = 0.7;

/**
 * Which messages to drop: those before the returned sequence; undefined: none. Only what is committed is ever dropped; of
 * that what is too old, and the oldest when the stream fills up, so that it never refuses what is new.
 */
export function planTrim(state: TrimState): number | undefined {
  const { firstSequence, lastSequence, bytes, maxBytes, floor, firstYoung } = state;
  const messages = lastSequence - firstSequence + 1;
  let before = Math.max(firstSequence, firstYoung ?? 0);
  if (messages > 0 && maxBytes > 0 && bytes > HIGH_WATER * maxBytes) {
    const excess = bytes - LOW_WATER * maxBytes;
    before = Math.max(before, firstSequence + Math.ceil((excess / bytes) * messages));
  }
  before = Math.min(before, floor + 1);
  return before > firstSequence ? before : undefined;
}

/**
 * Drops committed messages that the stream need not hold any longer. Returns the first sequence kept, or undefined when
 * nothing was dropped.
 */
export async function trim(
  manager: JetStreamManager,
  info: StreamInfo,
  options: { floor: number; keepMs: number; now: number },
): Promise<number | undefined> {
  const { name, max_bytes: maxBytes } = info.config;
  const { first_seq: firstSequence, last_seq: lastSequence, messages, bytes, first_ts: firstTime } = info.state;
  const since = options.now - options.keepMs;
  const old = messages > 0 && options.floor >= firstSequence && new Date(firstTime).getTime() < since;
  const firstYoung = old ? await firstSince(manager, info, since) : undefined;
  const before = planTrim({ firstSequence, lastSequence, bytes, maxBytes, floor: options.floor, firstYoung });
  if (before === undefined) return undefined;
  // A purge names no stream identity: were the stream made anew meanwhile, uncommitted messages would go.
  if ((await manager.streams.info(name)).created !== info.created) return undefined;
  await manager.streams.purge(name, { seq: before });
  return before;
}

/** The first sequence stored at or after a time; one beyond the last when there is none. */
export async function firstSince(
  manager: JetStreamManager,
  { config, state }: StreamInfo,
  sinceMs: number,
): Promise<number> {
  // A consumer from that time on knows how many messages it would deliver.
  const consumer = await manager.consumers.add(config.name, {
    ack_policy: AckPolicy.None,
    deliver_policy: DeliverPolicy.StartTime,
    opt_start_time: new Date(sinceMs).toISOString(),
    mem_storage: true,
    num_replicas: 1,
    inactive_threshold: 5e9,
  });
  await manager.consumers.delete(config.name, consumer.name);
  return Math.max(state.first_seq, state.last_seq - consumer.num_pending + 1);
}
