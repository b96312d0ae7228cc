import type { Logger } from '../../runtime/log.ts';
import { createFairBound } from '../../runtime/fairBound.ts';
import type { NatsConnection } from '../../stream/nats.ts';
import type { Registry } from '../../schemas/registry.ts';
import { LakeError } from '../../lake/errors.ts';
import { LAKE_ERRORS } from '../../schemas/queryErrors.ts';
import { StreamUnavailableError } from '../../stream/errors.ts';
import { followTenant, type FollowedMessage } from '../../stream/follow.ts';
import { liveEvents, type LiveEvent } from './verdicts.ts';

/** News of a live view: `hello` first, `end` last, others between. */
export type LiveNews =
  | { news: 'hello'; tenantId: string; at: string }
  | { news: 'events'; events: LiveEvent[] }
  /** Number of events above the rate that a view shows. */
  | { news: 'skipped'; events: number }
  /** Number of messages left out of a view with a large backlog. */
  | { news: 'behind'; messages: number }
  | { news: 'beat' }
  | { news: 'end'; code: string; message: string };

export interface LiveRequest {
  tenantId: string;
  /** Empty: all segments. */
  segmentIds: readonly string[];
  /** Only events of this key. */
  keyId?: string | undefined;
  tokenId: string;
  signal: AbortSignal;
  /** Throws LakeError if the token no longer works. */
  recheck: () => void;
}

export interface LiveViews {
  /**
   * News of a tenant's events from now on.
   *
   * They end when the caller leaves, or the token ends.
   * @throws LakeError too_many_viewers; StreamUnavailableError
   */
  open(request: LiveRequest): AsyncIterable<LiveNews>;
  /** Number of open views. */
  readonly count: number;
  close(): void;
}

const MOST_VIEWS = { perToken: 4, perTenant: 16, total: 32 };
/** Most events shown per second, enough for a reader; the others are counted. */
const MOST_EVENTS_PER_SECOND = 50;
/** Backlog in messages at which a view skips to the newest one. */
const MOST_BEHIND = 256;
const CHECK_MS = 1_000;
const BEAT_MS = 10_000;

/** Creates live views for developers of an integration: exact, bounded, never late. */
export function createLiveViews(options: {
  connection: () => NatsConnection | undefined;
  registry: Registry;
  log: Logger;
}): LiveViews {
  const { registry, log } = options;
  const closed = new AbortController();
  const views = createFairBound(MOST_VIEWS);

  async function* open(request: LiveRequest): AsyncGenerator<LiveNews> {
    const end = views.take(request);
    if (!end) throw new LakeError('too_many_viewers', LAKE_ERRORS.too_many_viewers.help, { retryAfterSeconds: 5 });
    try {
      yield* news(request);
    } finally {
      end();
    }
  }

  async function* news(request: LiveRequest): AsyncGenerator<LiveNews> {
    const connection = options.connection();
    if (!connection) throw new StreamUnavailableError();
    const { tenantId, segmentIds, keyId } = request;
    const ended = AbortSignal.any([request.signal, closed.signal]);
    let following = await followTenant(connection, { tenantId, segmentIds });
    let next = following.messages[Symbol.asyncIterator]();
    let arriving = next.next();
    const clock = createClock(ended);
    try {
      yield { news: 'hello', tenantId, at: new Date().toISOString() };
      while (!ended.aborted) {
        const arrived = await Promise.race([arriving, clock.tick()]);
        if (ended.aborted) return;
        if (clock.checkIsDue()) {
          const refusal = refusalOf(request.recheck);
          if (refusal) return void (yield { news: 'end', code: refusal.code, message: refusal.message });
        }
        if (arrived === 'tick') {
          if (clock.beatIsDue()) yield { news: 'beat' };
          continue;
        }
        if (arrived.done) {
          const { help } = LAKE_ERRORS.stream_unavailable;
          return void (yield { news: 'end', code: 'stream_unavailable', message: help });
        }
        const message = arrived.value;
        yield* told(message, clock.allowance(MOST_EVENTS_PER_SECOND), keyId);
        if (message.pending > MOST_BEHIND) {
          following.stop();
          following = await followTenant(connection, { tenantId, segmentIds });
          next = following.messages[Symbol.asyncIterator]();
          yield { news: 'behind', messages: message.pending };
        }
        arriving = next.next();
      }
    } finally {
      clock.stop();
      following.stop();
    }
  }

  function* told(message: FollowedMessage, allowance: Allowance, keyId: string | undefined): Generator<LiveNews> {
    try {
      const { events, left } = liveEvents(message, { most: allowance.left, keyId }, registry);
      allowance.take(events.length);
      if (events.length > 0) yield { news: 'events', events };
      if (left > 0) yield { news: 'skipped', events: left };
    } catch (error) {
      log.warn({ err: error, subject: message.subject, sequence: message.sequence }, 'a message cannot be shown live');
    }
  }

  return {
    open,
    get count() {
      return views.count;
    },
    close: () => closed.abort(),
  };
}

function refusalOf(recheck: () => void): LakeError | undefined {
  try {
    recheck();
    return undefined;
  } catch (error) {
    if (error instanceof LakeError) return error;
    throw error;
  }
}

interface Allowance {
  readonly left: number;
  take(events: number): void;
}

interface Clock {
  /** Resolves at the next second, or when the signal fires. */
  tick(): Promise<'tick'>;
  /** Whether a second or a heartbeat's time has passed since the last check. */
  checkIsDue(): boolean;
  beatIsDue(): boolean;
  /** Events that may still be shown in this second. */
  allowance(perSecond: number): Allowance;
  stop(): void;
}

function createClock(ended: AbortSignal): Clock {
  let wake: () => void = () => undefined;
  const timer = setInterval(() => wake(), CHECK_MS);
  const onEnd = (): void => wake();
  ended.addEventListener('abort', onEnd);
  let checkedAt = performance.now();
  let beatAt = checkedAt;
  let second = 0;
  let taken = 0;
  return {
    tick: () =>
      ended.aborted
        ? Promise.resolve('tick')
        : new Promise((resolve) => {
            wake = () => resolve('tick');
          }),
    checkIsDue: () => {
      const due = performance.now() - checkedAt >= CHECK_MS;
      if (due) checkedAt = performance.now();
      return due;
    },
    beatIsDue: () => {
      const due = performance.now() - beatAt >= BEAT_MS;
      if (due) beatAt = performance.now();
      return due;
    },
    allowance: (perSecond) => {
      const now = Math.floor(performance.now() / 1000);
      if (now !== second) [second, taken] = [now, 0];
      return {
        left: perSecond - taken,
        take: (events) => void (taken += events),
      };
    },
    stop: () => {
      clearInterval(timer);
      ended.removeEventListener('abort', onEnd);
    },
  };
}
