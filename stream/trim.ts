import { AckPolicy, DeliverPolicy, type JetStreamManager, type StreamInfo } from '@nats-io/jetstream';

export interface TrimState {
  firstSequence: number;
  lastSequence: number;
  bytes: number;
  /** -1: no limit. */
  maxBytes: number;
  /** Last committed sequence. */
  floor: number;
  /** First sequence young enough to keep; undefined if all are. */
  firstYoung: number | undefined;
}

/** Share of the stream's size above which trimming starts. */
const HIGH_WATER = 0.8;
/** Share of the stream's size at which trimming stops. */
const LOW_WATER = 0.7;

/**
 * Chooses the first sequence to keep; undefined if nothing is dropped. Pure.
 *
 * Only committed messages are dropped: those that are too old, and the oldest ones before the stream is full.
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
 * Drops committed messages that the stream need not keep.
 * @returns the first sequence kept; undefined if nothing was dropped
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
  // A purge does not name a stream's identity. A recreated stream could lose uncommitted messages.
  if ((await manager.streams.info(name)).created !== info.created) return undefined;
  await manager.streams.purge(name, { seq: before });
  return before;
}

/** First sequence stored since a time; after the last if none. */
export async function firstSince(
  manager: JetStreamManager,
  { config, state }: StreamInfo,
  sinceMs: number,
): Promise<number> {
  // A consumer from that time on reports how many messages it would deliver.
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
