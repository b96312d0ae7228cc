import { AckPolicy, DeliverPolicy, type JetStreamManager } from '@nats-io/jetstream';
import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import { FORMAT_HEADER } from '../schemas/envelope.ts';
import type { Logger } from '../runtime/log.ts';
import type { StreamMessage } from './message.ts';
import { Fifo } from './fifo.ts';
import { newInbox } from './inbox.ts';
import type { KnownMessage } from './streamsRecord.ts';

export interface MessageReaderOptions {
  connection: NatsConnection;
  manager: JetStreamManager;
  stream: string;
  /** Sequence of the first message to read. */
  from: number;
  /** Message before the first, which the stream must still hold if it holds any of that sequence. */
  before?: KnownMessage;
  /** Called, with the reader closed, when the stream has another message where the last one was read. */
  onOther?: (last: KnownMessage) => void;
  /** Most bytes queued or in flight; at least twice the largest message. */
  maxBytes: number;
  log: Logger;
}

const PULL_MESSAGES = 100_000;
const PULL_EXPIRES_MS = 5_000;
const HEARTBEAT_MS = 1_000;
/** Silence during a pull after which the consumer counts as lost. */
const SILENCE_MS = 3_000;
const INACTIVE_MS = 30_000;
const REQUEST_EXPIRED = 408;
const HEARTBEAT = 100;

/**
 * Reads a stream in order from a sequence on, without acknowledging.
 *
 * The reader is a pull consumer in the server's memory. One pull of half the byte budget is open at a time. The next is
 * sent once the pull is used up and the queue has room. So a slow caller stops the flow at the server.
 *
 * Bytes limit a pull, because large messages would stall a limit by count.
 *
 * Each delivery carries the consumer's own count. A gap, an error status or silence makes a new consumer after the last
 * delivered message. So no message is skipped or repeated.
 *
 * A new consumer begins with the last delivered message, to see that the stream is still the same. The store of a server
 * that was restarted may have been restored from a backup.
 */
export class MessageReader {
  readonly #options: MessageReaderOptions;
  readonly #pullBytes: number;
  readonly #timer: NodeJS.Timeout;
  readonly #queue = new Fifo<StreamMessage>();
  #queuedBytes = 0;
  #next: number;
  /** Last message read, with its time. */
  #last: KnownMessage | undefined;
  /** Number of consumers made. Each after the first is logged. */
  #generation = 0;
  #subscription: Subscription | undefined;
  #consumer = '';
  #inbox = '';
  #delivered = 0;
  #waiting = 0;
  #pullOpen = false;
  #pulledBytes = 0;
  #pulledMessages = 0;
  #heardAt = performance.now();
  #renewing = false;
  #closed = false;
  #wake: () => void = () => undefined;

  constructor(options: MessageReaderOptions) {
    this.#options = options;
    this.#pullBytes = Math.floor(options.maxBytes / 2);
    this.#next = options.from;
    this.#last = options.before;
    this.#timer = setInterval(() => this.#watch(), SILENCE_MS / 3);
    this.#renew('starting');
  }

  /** Messages after the last delivered one; 0 until a new consumer delivers. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Takes the next message; undefined if none is here. */
  shift(): StreamMessage | undefined {
    const message = this.#queue.shift();
    if (!message) return undefined;
    this.#queuedBytes -= message.data.length;
    this.#pull();
    return message;
  }

  /** Resolves on a message, on close or nudge, or after a timeout. */
  arrived(withinMs?: number): Promise<void> {
    if (this.#queue.length > 0 || this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = withinMs === undefined ? undefined : setTimeout(resolve, withinMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Ends a wait for messages. */
  nudge(): void {
    this.#wake();
  }

  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue.clear();
    clearInterval(this.#timer);
    this.#drop();
    this.#wake();
  }

  #watch(): void {
    const silentMs = performance.now() - this.#heardAt;
    if (this.#pullOpen && silentMs > SILENCE_MS) this.#renew(`nothing heard for ${Math.round(silentMs)} ms`);
    else this.#pull();
  }

  #pull(): void {
    if (this.#pullOpen || this.#closed || this.#consumer === '') return;
    if (this.#queuedBytes > this.#options.maxBytes - this.#pullBytes) return;
    this.#pullOpen = true;
    this.#pulledBytes = 0;
    this.#pulledMessages = 0;
    this.#heardAt = performance.now();
    const request = {
      batch: PULL_MESSAGES,
      max_bytes: this.#pullBytes,
      expires: PULL_EXPIRES_MS * 1e6,
      idle_heartbeat: HEARTBEAT_MS * 1e6,
    };
    this.#options.connection.publish(
      `$JS.API.CONSUMER.MSG.NEXT.${this.#options.stream}.${this.#consumer}`,
      JSON.stringify(request),
      { reply: this.#inbox },
    );
  }

  #receive(message: Msg): void {
    this.#heardAt = performance.now();
    // ADR-37: a pull's status arrives on the pull's own inbox, without a reply subject.
    if (!message.reply) {
      const code = message.headers?.code ?? 0;
      if (code === HEARTBEAT) return;
      const usedUp = code === REQUEST_EXPIRED || this.#pulledBytes > 0;
      if (!usedUp) return this.#renew(`pull rejected: ${code} ${message.headers?.description ?? ''}`);
      this.#pullOpen = false;
      return this.#pull();
    }
    const { sequence, delivery, timeMs, waiting } = parseReply(message.reply);
    if (delivery === 1 && sequence === this.#last?.sequence) {
      if (timeMs !== this.#last.timeMs) return this.#endAtOther(this.#last);
    } else if (delivery !== this.#delivered + 1 || sequence < this.#next) {
      return this.#renew(`delivery ${delivery} of message ${sequence} came after delivery ${this.#delivered}`);
    }
    this.#delivered = delivery;
    this.#waiting = waiting;
    this.#pulledBytes += message.data.length;
    if (++this.#pulledMessages === PULL_MESSAGES) this.#pullOpen = false; // the server sends no status after a full pull
    if (sequence < this.#next) return; // the last message read, once more
    this.#next = sequence + 1;
    this.#last = { sequence, timeMs };
    this.#queuedBytes += message.data.length;
    const format = message.headers?.get(FORMAT_HEADER);
    this.#queue.push({ subject: message.subject, sequence, timeMs, data: message.data, format });
    this.#wake();
  }

  #endAtOther(last: KnownMessage): void {
    this.close();
    this.#options.onOther?.(last);
  }

  /** Makes a new consumer from the next message on, until one succeeds. */
  #renew(reason: string): void {
    if (this.#renewing || this.#closed) return;
    this.#renewing = true;
    this.#waiting = 0;
    this.#drop();
    const { connection, log } = this.#options;
    const inbox = newInbox(connection);
    const subscription = connection.subscribe(inbox, {
      callback: (error, message) => {
        if (this.#inbox !== inbox || this.#closed) return;
        if (error) this.#renew(error.message);
        else this.#receive(message);
      },
    });
    if (this.#generation++ > 0) log.warn({ reason, from: this.#next }, 'reading the stream again');
    this.#create().then(
      (consumer) => {
        this.#renewing = false;
        if (this.#closed) return subscription.unsubscribe();
        this.#subscription = subscription;
        this.#inbox = inbox;
        this.#consumer = consumer;
        this.#delivered = 0;
        this.#pull();
      },
      (error: unknown) => {
        subscription.unsubscribe();
        this.#renewing = false;
        // The watchdog tries again, because it sees an open pull and silence.
        this.#pullOpen = true;
        this.#heardAt = performance.now() - SILENCE_MS / 2;
        log.warn({ err: error }, 'the stream cannot be read now');
      },
    );
  }

  async #create(): Promise<string> {
    const { manager, stream } = this.#options;
    const info = await manager.consumers.add(stream, {
      ack_policy: AckPolicy.None,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: Math.max(1, this.#last?.timeMs === undefined ? this.#next : this.#last.sequence),
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: INACTIVE_MS * 1e6,
    });
    return info.name;
  }

  /** Deletes the consumer. If that fails, the consumer expires at the server. */
  #drop(): void {
    this.#subscription?.unsubscribe();
    const { manager, stream, log } = this.#options;
    if (this.#consumer !== '' && !this.#options.connection.isClosed()) {
      manager.consumers
        .delete(stream, this.#consumer)
        .catch((error: unknown) => log.debug({ err: error }, 'a consumer was not deleted and will expire'));
    }
    this.#subscription = undefined;
    this.#consumer = '';
    this.#inbox = '';
    this.#pullOpen = false;
  }
}

/**
 * Parses a delivery's reply subject (ADR-15).
 *
 * The form is `$JS.ACK.<stream>.<consumer>.<tries>.<sequence>.<delivery>.<nanoseconds>.<pending>`. Newer servers add
 * `<domain>.<account>` before the stream and a random token at the end.
 */
function parseReply(reply: string): { sequence: number; delivery: number; timeMs: number; waiting: number } {
  const tokens = reply.split('.');
  const at = tokens.length === 9 ? 5 : 7;
  return {
    sequence: Number(tokens[at]),
    delivery: Number(tokens[at + 1]),
    timeMs: Number(tokens[at + 2]!.slice(0, -6)), // nanoseconds are no safe integer
    waiting: Number(tokens[at + 3]),
  };
}
