import { randomBytes } from 'node:crypto';
import type { Msg, MsgHdrs, NatsConnection } from '@nats-io/transport-node';
import type { Logger } from '../../runtime/log.ts';
import { newInbox } from '../../stream/inbox.ts';
import type { Outgoing, Publisher } from './publisher.ts';
import { messageHeaders, setBatch, STATUS_NO_RESPONDERS, STREAM_FULL, WAIT_AND_RESEND, type PubAck } from './pubAck.ts';
import { RateLimitedLogger } from './rateLimitedLogger.ts';
import type { PublishStreams } from './publishStreams.ts';
import { ShardHealth } from './shardHealth.ts';

const SWEEP_MS = 50;
/** Time after which an acknowledgement counts as lost. */
const RESEND_MS = 1_000;
/** Wait after no stream answered (an election), or the server asked for a pause. */
const BUSY_MS = 150;
/** Room for headers within the server's max_payload. */
const HEADER_BYTES = 512;

const NOT_CONNECTED = 'the stream server is not connected';
const STREAM_IS_FULL =
  'a stream is full and takes no events until the processor has caught up, or STREAM_MAX_BYTES is raised';

/** Most messages of one atomic batch (nats-server's limit). */
const BATCH_MESSAGES = 1_000;
/** Fewest messages for which an atomic batch is faster: it costs the server fsyncs of its own. */
const BATCH_FROM = 16;

interface Pending {
  token: string;
  outgoing: Outgoing;
  resendAtMs: number;
  /** Whether the health of its shard counts it. */
  counted: boolean;
}

/** A shard whose events are refused now. */
export interface RefusedShard {
  shard: number;
  reason: string;
}

interface PublisherOptions {
  log: Logger;
  /** By shard. */
  health: readonly ShardHealth[];
  clock?: () => number;
}

/**
 * Publisher to JetStream, with resends until each message is acknowledged.
 *
 * A message is *pending* from publish until it is acknowledged, rejected, or past its deadline. A pending message is sent again
 * if no acknowledgement arrives, if no stream answers, and after a reconnect. Resends have the same `Nats-Msg-Id`, so that
 * the stream stores the message once.
 *
 * Many messages at once form an atomic batch, if the stream supports it (NATS ADR-50): one fsync stores them all. A batch
 * has one try. If it fails, its messages are sent singly, and their ids tell the server which it has stored.
 *
 * Without a connection, or with a stream in doubt, no message reaches the client. The client would buffer without bound, and
 * later send messages whose senders have got an error. While a shard does not acknowledge, only its oldest message is sent
 * again, as a probe.
 */
export class NatsPublisher implements Publisher {
  readonly maxPayloadBytes: number;
  readonly #connection: NatsConnection;
  readonly #streams: PublishStreams;
  readonly #health: readonly ShardHealth[];
  readonly #log: RateLimitedLogger;
  readonly #clock: () => number;
  readonly #inbox: string;
  /** Nats-Msg-Id: a prefix unique to this process, and a counter. */
  readonly #id = randomBytes(12).toString('base64url');
  readonly #pending = new Map<string, Pending>();
  /** Unacknowledged atomic batches, by token. */
  readonly #batches = new Map<string, Pending[]>();
  readonly #sweep: NodeJS.Timeout;
  #connected = true;
  #held = false;
  #tokens = 0;

  constructor(connection: NatsConnection, streams: PublishStreams, options: PublisherOptions) {
    this.#connection = connection;
    this.#inbox = newInbox(connection);
    this.#streams = streams;
    this.#health = options.health;
    this.#clock = options.clock ?? (() => performance.now());
    this.#log = new RateLimitedLogger(options.log, this.#clock);
    this.maxPayloadBytes = (connection.info?.max_payload ?? 1_048_576) - HEADER_BYTES;
    connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error)
          this.#log.write(
            'error',
            { err: error },
            'acknowledgements cannot be read: let this identity subscribe to its inbox',
          );
        else this.#acknowledged(message);
      },
    });
    streams.onKnown((shard) => {
      for (const pending of this.#pending.values()) if (pending.outgoing.shard === shard) this.#send(pending);
    });
    void this.#followConnection();
    this.#sweep = setInterval(() => this.#resendOrEnd(), SWEEP_MS);
    this.#sweep.unref();
  }

  /** Number of pending messages. */
  get pending(): number {
    return this.#pending.size;
  }

  /** The reason why no event can be taken; undefined while at least one shard acknowledges. */
  down(): string | undefined {
    if (!this.#connected) return NOT_CONNECTED;
    const refused = this.refused();
    return refused.length < this.#health.length ? undefined : refused[0] && describeRefused(refused[0]);
  }

  /** Shards that do not acknowledge now, with the reasons. */
  refused(): RefusedShard[] {
    return [...this.#health.keys()].flatMap((shard) => {
      const reason = this.#fault(shard);
      return reason === undefined ? [] : [{ shard: this.#streams.number(shard), reason }];
    });
  }

  /** Holds what comes until `release`: it is not sent, and ends at its deadline. */
  hold(): void {
    this.#held = true;
  }

  /** Sends what was held. */
  release(): void {
    this.#held = false;
    const nowMs = this.#clock();
    for (const pending of this.#pending.values()) this.#count(pending, nowMs);
    for (const pending of this.#pending.values()) this.#send(pending);
  }

  /** Ends what is held, unsent. */
  failHeld(reason: string): void {
    if (this.#held) for (const pending of this.#pending.values()) this.#failed(pending, reason);
  }

  setBack(shard: number): string | undefined {
    return this.#streams.setBack(shard);
  }

  unavailable(shard: number): string | undefined {
    if (this.#held) return undefined;
    return this.#unsendable(shard) ?? this.#health[shard]!.refusal(this.#clock());
  }

  #fault(shard: number): string | undefined {
    return this.#unsendable(shard) ?? this.#health[shard]!.fault(this.#clock());
  }

  #unsendable(shard: number): string | undefined {
    if (!this.#connected) return NOT_CONNECTED;
    if (this.#held) return 'its shards are growing';
    if (this.#streams.epoch(shard) !== undefined) return undefined;
    return this.#streams.setBack(shard) ?? 'its stream is being looked up';
  }

  publish(messages: readonly Outgoing[]): void {
    const pending = messages.map((outgoing) => ({ token: this.#token(), outgoing, resendAtMs: 0, counted: false }));
    const nowMs = this.#clock();
    for (const one of pending) {
      this.#pending.set(one.token, one);
      if (!this.#held) this.#count(one, nowMs);
    }
    for (let from = 0; from < pending.length; from += BATCH_MESSAGES) {
      const group = pending.slice(from, from + BATCH_MESSAGES);
      const { shard } = group[0]!.outgoing;
      const together =
        group.length >= BATCH_FROM && this.#streams.batches(shard) && this.#unsendable(shard) === undefined;
      if (together) this.#sendBatch(group);
      else for (const one of group) this.#send(one);
    }
  }

  close(): void {
    clearInterval(this.#sweep);
  }

  #token(): string {
    return (this.#tokens++).toString(36);
  }

  #send(pending: Pending): void {
    if (this.#unsendable(pending.outgoing.shard) !== undefined) return;
    pending.resendAtMs = this.#clock() + RESEND_MS;
    this.#hand(pending, this.#headers(pending), `${this.#inbox}.${pending.token}`);
  }

  #sendBatch(group: Pending[]): void {
    const token = this.#token();
    this.#batches.set(token, group);
    for (const [index, pending] of group.entries()) {
      pending.resendAtMs = this.#clock() + RESEND_MS;
      const last = index === group.length - 1;
      const headers = this.#headers(pending);
      setBatch(headers, { id: `${this.#id}.${token}`, index, last });
      this.#hand(pending, headers, last ? `${this.#inbox}.${token}` : undefined);
    }
  }

  #headers({ token, outgoing }: Pending): MsgHdrs {
    return messageHeaders(`${this.#id}.${token}`, outgoing);
  }

  #hand(pending: Pending, headers: MsgHdrs, reply: string | undefined): void {
    const { subject, payload } = pending.outgoing;
    try {
      this.#connection.publish(subject, payload, { headers, ...(reply ? { reply } : {}) });
    } catch (error) {
      this.#failed(pending, `the message could not be sent: ${(error as Error).message}`);
    }
  }

  #acknowledged(message: Msg): void {
    const token = message.subject.slice(this.#inbox.length + 1);
    const batch = this.#batches.get(token);
    if (batch) return this.#batchAcknowledged(token, batch, message);
    const pending = this.#pending.get(token);
    if (!pending) return; // settled by the acknowledgement of an earlier try
    if (message.data.length === 0) {
      if (message.headers?.code === STATUS_NO_RESPONDERS) {
        this.#log.write('warn', { subject: pending.outgoing.subject }, 'no stream takes the messages, trying again');
      }
      pending.resendAtMs = this.#clock() + BUSY_MS;
      return;
    }
    const ack = message.json<PubAck>();
    if (ack.error) this.#refused(pending, ack.error);
    else this.#stored(pending, ack);
  }

  #batchAcknowledged(token: string, batch: Pending[], message: Msg): void {
    this.#batches.delete(token);
    const { stream = '', seq = 0, count, error } = message.data.length === 0 ? {} : message.json<PubAck>();
    if (error || count !== batch.length) {
      this.#log.write('debug', { code: error?.err_code, reason: error?.description }, 'an atomic batch was rejected');
      for (const pending of batch) if (this.#pending.has(pending.token)) this.#send(pending);
      return;
    }
    const first = seq - batch.length + 1;
    for (const [index, pending] of batch.entries()) {
      if (this.#pending.has(pending.token)) this.#stored(pending, { stream, seq: first + index });
    }
  }

  #stored(pending: Pending, { stream = '', seq = 0, duplicate = false }: PubAck): void {
    const { shard } = pending.outgoing;
    const epoch = this.#streams.acknowledged(shard, { stream, sequence: seq, duplicate });
    if (epoch === undefined) {
      // Sent again once the stream is known: the stream then names the place of the first copy, if it holds that.
      pending.resendAtMs = this.#clock() + BUSY_MS;
      return;
    }
    this.#health[shard]!.acknowledged(this.#clock());
    this.#forget(pending);
    pending.outgoing.done({ epoch, sequence: seq });
  }

  #refused(pending: Pending, error: NonNullable<PubAck['error']>): void {
    if (WAIT_AND_RESEND.has(error.err_code ?? 0)) {
      pending.resendAtMs = this.#clock() + BUSY_MS;
      return;
    }
    const full = error.err_code === STREAM_FULL;
    this.#health[pending.outgoing.shard]!.acknowledged(this.#clock()); // it answers
    const facts = {
      shard: this.#streams.number(pending.outgoing.shard),
      code: error.err_code,
      reason: error.description,
    };
    this.#log.write('error', facts, full ? STREAM_IS_FULL : 'a stream rejected a message');
    this.#failed(pending, full ? 'it is full' : 'it rejected the write');
  }

  #failed(pending: Pending, failed: string): void {
    this.#forget(pending);
    pending.outgoing.done({ failed });
  }

  #count(pending: Pending, nowMs: number): void {
    if (pending.counted) return;
    pending.counted = true;
    this.#health[pending.outgoing.shard]!.sent(nowMs);
  }

  #forget({ token, outgoing, counted }: Pending): void {
    if (this.#pending.delete(token) && counted) this.#health[outgoing.shard]!.ended();
  }

  #resendOrEnd(): void {
    const nowMs = this.#clock();
    for (const [token, batch] of this.#batches) {
      if (!batch.some((pending) => this.#pending.has(pending.token))) this.#batches.delete(token);
    }
    const faulty = new Set([...this.#health.keys()].filter((shard) => this.#fault(shard) !== undefined));
    const probed = new Set<number>();
    for (const pending of this.#pending.values()) {
      const { shard, deadlineMs } = pending.outgoing;
      if (nowMs >= deadlineMs) {
        this.#failed(pending, 'it did not confirm the write in time');
        continue;
      }
      const held = faulty.has(shard) && probed.has(shard);
      probed.add(shard);
      if (!held && nowMs >= pending.resendAtMs) this.#send(pending);
    }
  }

  async #followConnection(): Promise<void> {
    for await (const { type } of this.#connection.status()) {
      if (type === 'disconnect') this.#connected = false;
      if (type === 'reconnect') {
        this.#connected = true;
        // The server may have other streams now. Pending messages are sent once the streams are known.
        this.#streams.doubt();
      }
    }
    this.#connected = false;
  }
}

function describeRefused({ shard, reason }: RefusedShard): string {
  return `shard ${shard}: ${reason}`;
}
