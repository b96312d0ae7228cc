import { jetstreamManager, type StreamInfo } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { streamEpoch } from '../../schemas/receipt.ts';
import { streamName, streamSubjects } from '../../schemas/subjects.ts';
import type { Logger } from '../../runtime/log.ts';
import { backoffMs, delay } from '../../runtime/retry.ts';
import { ensureStreams, streamInfo, type StreamsConfig } from '../../stream/streams.ts';

const ADVISORIES = '$JS.EVENT.ADVISORY.STREAM.*.*';
const RETRY = { firstMs: 100, maxMs: 1_000 };
/** Longest wait for a stream's leader, which may be gone. */
const ANSWER_MS = 1_000;

/** State of one shard's stream. `epoch` is undefined while the stream is in doubt. */
interface ShardStream {
  config: StreamsConfig['streams'][number];
  created: string;
  epoch: number | undefined;
  lastSequence: number;
  /** The stream supports atomic batches (nats-server 2.12 or newer). */
  batches: boolean;
  /** Number of doubts so far. An answer to a question from before the last one is void. */
  doubts: number;
  /** Whether it is being read again. */
  reading: boolean;
}

/**
 * Identity of each shard's stream, which receipts carry.
 *
 * A stream is *known* or *in doubt*. Three things cause doubt: a lost connection, a deletion that the server reports, and a
 * sequence below an earlier one. A stream in doubt is read again, or created if it is missing, and is then known.
 *
 * While a stream is in doubt, nothing is published to it and its acknowledgements do not count. So a receipt never points
 * into another stream than its events.
 */
export class PublishStreams {
  readonly #connection: NatsConnection;
  readonly #config: Omit<StreamsConfig, 'streams'>;
  readonly #log: Logger;
  readonly #shards: ShardStream[];
  readonly #stopped = new AbortController();
  #onKnown: (shard: number) => void = () => undefined;

  constructor(
    connection: NatsConnection,
    { shards, log, ...limits }: { shards: number; maxBytes: number; replicas: number; log: Logger },
  ) {
    this.#connection = connection;
    this.#log = log;
    this.#config = { beyond: streamName(shards), ...limits };
    this.#shards = Array.from({ length: shards }, (_, shard) => ({
      config: { name: streamName(shard), subjects: streamSubjects(shard) },
      created: '',
      epoch: undefined,
      lastSequence: 0,
      batches: false,
      doubts: 0,
      reading: false,
    }));
  }

  /**
   * Read or create the streams, and follow them from then on.
   * @throws Error of ensureStreams
   */
  async open(): Promise<void> {
    // All at once, which also checks their number. Later reads are of single streams.
    const infos = await ensureStreams(this.#connection, {
      ...this.#config,
      streams: this.#shards.map(({ config }) => config),
    });
    for (const [shard, info] of infos.entries()) this.#know(this.#shards[shard]!, info);
    const advisories = this.#connection.subscribe(ADVISORIES, {
      callback: (error, message) => {
        // Without permission for advisories, sequences show a deletion.
        if (error) return this.#log.warn({ err: error }, 'stream advisories cannot be read');
        const [event, name] = message.subject.split('.').slice(-2);
        const shard = this.#shards.findIndex(({ config }) => config.name === name);
        if (shard >= 0 && event === 'DELETED') this.doubt(shard);
      },
    });
    this.#stopped.signal.addEventListener('abort', () => advisories.unsubscribe());
  }

  /** Register a callback for shards whose stream is known again. */
  onKnown(callback: (shard: number) => void): void {
    this.#onKnown = callback;
  }

  /** Epoch of a shard's stream; undefined while in doubt. */
  epoch(shard: number): number | undefined {
    return this.#shards[shard]!.epoch;
  }

  /** Test whether a shard's stream supports atomic batches. */
  batches(shard: number): boolean {
    return this.#shards[shard]!.batches;
  }

  /**
   * Epoch of an acknowledged message; undefined while in doubt.
   * The acknowledgement of a duplicate has the sequence of the first copy.
   */
  acknowledged(shard: number, ack: { stream: string; sequence: number; duplicate: boolean }): number | undefined {
    const stream = this.#shards[shard]!;
    if (stream.epoch === undefined) return undefined;
    if (ack.stream !== stream.config.name || (!ack.duplicate && ack.sequence <= stream.lastSequence)) {
      this.doubt(shard);
      return undefined;
    }
    if (!ack.duplicate) stream.lastSequence = ack.sequence;
    return stream.epoch;
  }

  /** Put a stream in doubt, or all streams without a shard. */
  doubt(shard?: number): void {
    for (const [index, stream] of this.#shards.entries()) {
      if (shard !== undefined && shard !== index) continue;
      stream.epoch = undefined;
      stream.doubts++;
      void this.#readUntilKnown(stream, index); // throws nothing
    }
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #readUntilKnown(stream: ShardStream, shard: number): Promise<void> {
    if (stream.reading) return;
    stream.reading = true;
    const { signal } = this.#stopped;
    for (let attempt = 0; stream.epoch === undefined && !signal.aborted;) {
      try {
        await this.#read(stream);
        this.#onKnown(shard);
      } catch (error) {
        const { name } = stream.config;
        if (attempt % 10 === 0)
          this.#log.warn({ err: error, stream: name }, 'an event stream cannot be read, trying again');
        await delay(backoffMs(attempt++, RETRY), signal);
      }
    }
    stream.reading = false;
  }

  async #read(stream: ShardStream): Promise<void> {
    const { doubts, config } = stream;
    // Only the stream's leader is asked: after a server's death, the others may need seconds for what concerns them all.
    const manager = await jetstreamManager(this.#connection, { checkAPI: false, timeout: ANSWER_MS });
    const found = await streamInfo(manager, config.name);
    const [info] = found ? [found] : await ensureStreams(this.#connection, { ...this.#config, streams: [config] });
    if (stream.doubts === doubts) this.#know(stream, info!);
  }

  #know(stream: ShardStream, { created, config }: StreamInfo): void {
    if (stream.created !== created) {
      if (stream.created !== '') {
        this.#log.warn({ stream: stream.config.name, created }, 'an event stream was deleted and created again');
      }
      stream.lastSequence = 0;
      stream.created = created;
    }
    stream.batches = config.allow_atomic === true;
    stream.epoch = streamEpoch(created);
  }
}
