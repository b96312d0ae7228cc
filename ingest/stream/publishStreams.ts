import { jetstreamManager, type JetStreamManager, type StreamInfo } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { streamEpoch } from '../../schemas/receipt.ts';
import { shardNumbers, shardOfStream, streamName, streamSubjects, type ShardRange } from '../../schemas/subjects.ts';
import type { Logger } from '../../runtime/log.ts';
import { backoffMs, delay } from '../../runtime/retry.ts';
import { confirmSetBack, contradicts, describeSetBack, type SetBackLook } from '../../stream/incarnation.ts';
import { leaderTerm } from '../../stream/quorum.ts';
import { streamInfo } from '../../stream/streamInfo.ts';
import { streamStateOf } from '../../stream/streamState.ts';
import { ensureStreams, type StreamsConfig } from '../../stream/streams.ts';
import {
  changeStreamsRecord,
  readStreamsRecord,
  touchStreamsRecord,
  withLoss,
  withSetBack,
  type SetBack,
  type StreamsRecord,
} from '../../stream/streamsRecord.ts';

const ADVISORIES = '$JS.EVENT.ADVISORY.STREAM.*.*';
const RECORD_EVERY_MS = 1_000;
const GROWING_EVERY_MS = 100;
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
  /** What anybody noticed: the stream lacks messages that it acknowledged. */
  setBack: SetBack | undefined;
}

export interface PublishStreamsOptions {
  range: ShardRange;
  /** Number of shards that the record has; absent: that of the range. */
  agreed?: number;
  maxBytes: number;
  replicas: number;
  log: Logger;
  /** Whether this identity may create streams. If not, it waits for a processor. */
  mayCreate?: boolean;
  /** Told of the record of streams, again and again. */
  onRecord?: (record: StreamsRecord) => void;
}

/**
 * Identity of each shard's stream, which receipts carry. Shards are numbered within their range, from 0.
 *
 * A stream is *known*, *in doubt* or *set back*. Three things cause doubt: a lost connection, a deletion that the server reports, and a
 * sequence below an earlier one. A stream in doubt is read again, or created if it is missing, and is then known.
 *
 * While a stream is in doubt, nothing is published to it and its acknowledgements do not count. So a receipt never points
 * into another stream than its events.
 *
 * A stream that ends before an acknowledged message is set back, and so is one that the record of streams says to be. It
 * stays so until a command has moved what it holds (stream/incarnation.ts).
 */
export class PublishStreams {
  readonly #connection: NatsConnection;
  readonly #config: Omit<StreamsConfig, 'streams'>;
  readonly #mayCreate: boolean;
  readonly #log: Logger;
  readonly #shards: ShardStream[];
  readonly #stopped = new AbortController();
  #isGrowing = false;
  readonly #first: number;
  readonly #onRecord: (record: StreamsRecord) => void;
  #onKnown: (shard: number) => void = () => undefined;

  constructor(connection: NatsConnection, options: PublishStreamsOptions) {
    const { range, agreed = range.shards, log, mayCreate = true, onRecord = () => undefined, ...limits } = options;
    this.#connection = connection;
    this.#log = log;
    this.#mayCreate = mayCreate;
    this.#first = range.first;
    this.#onRecord = onRecord;
    this.#config = { beyond: streamName(agreed), ...limits, log };
    this.#shards = shardNumbers(range).map((shard) => ({
      config: { name: streamName(shard), subjects: streamSubjects(shard) },
      created: '',
      epoch: undefined,
      lastSequence: 0,
      batches: false,
      doubts: 0,
      reading: false,
      setBack: undefined,
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
    const manager = await jetstreamManager(this.#connection);
    await this.#readRecord(manager);
    for (const [index, info] of infos.entries()) if (info) this.#know(this.#shards[index]!, info);
    void this.#followRecord(manager);
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

  /** Number of a shard, as subjects have it. */
  number(shard: number): number {
    return this.#first + shard;
  }

  /** Epoch of a shard's stream; undefined while in doubt. */
  epoch(shard: number): number | undefined {
    return this.#shards[shard]!.epoch;
  }

  /** Why a shard must not be written; undefined if its stream is not set back. */
  setBack(shard: number): string | undefined {
    const { setBack, config } = this.#shards[shard]!;
    return setBack && describeSetBack(config.name, setBack);
  }

  /** Shards with a stream that is set back. */
  get shardsSetBack(): number[] {
    return this.#shards.flatMap(({ setBack }, shard) => (setBack ? [shard] : []));
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
    for (let attempt = 0; stream.epoch === undefined && !stream.setBack && !signal.aborted;) {
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
    const info = (await streamInfo(manager, config.name)) ?? (await this.#make(config, manager));
    if (!info) return this.#readRecord(manager);
    if (stream.created === info.created && (await this.#isSetBack(stream, info, manager))) return;
    if (stream.created !== '' && stream.created !== info.created) await this.#recordGone(stream, info.created, manager);
    if (stream.doubts === doubts) this.#know(stream, info);
  }

  /** Makes a missing stream; undefined while a command moves it. @throws Error if a processor must make it */
  async #make(stream: ShardStream['config'], manager: JetStreamManager): Promise<StreamInfo | undefined> {
    if (this.#mayCreate) return (await ensureStreams(this.#connection, { ...this.#config, streams: [stream] }))[0];
    const record = await readStreamsRecord(manager);
    if (record?.setBack[shardOfStream(stream.name)]) return undefined;
    throw new Error(`the stream ${stream.name} is missing: start a processor, which makes it`);
  }

  #know(stream: ShardStream, { created, config }: StreamInfo): void {
    if (stream.created !== created) {
      stream.lastSequence = 0;
      stream.created = created;
    }
    stream.batches = config.allow_atomic === true;
    if (!stream.setBack) stream.epoch = streamEpoch(created);
  }

  /** Whether a stream ends before an acknowledged message. If so, the record tells everybody. */
  async #isSetBack(stream: ShardStream, info: StreamInfo, manager: JetStreamManager): Promise<boolean> {
    const { name } = stream.config;
    const known = { sequence: stream.lastSequence };
    if (!contradicts(known, streamStateOf(info))) return false;
    const { replicas } = this.#config;
    const look = async (): Promise<SetBackLook | undefined> => {
      const now = await streamInfo(manager, name);
      if (now?.created !== stream.created || !contradicts(known, streamStateOf(now))) return undefined;
      const { created } = stream;
      const setBack = { created, known, lastSequence: now.state.last_seq, at: new Date().toISOString() };
      return { setBack, leader: leaderTerm(now) };
    };
    const setBack = await confirmSetBack(look, () => touchStreamsRecord(this.#connection, replicas));
    if (!setBack) throw new Error(`${name} ended before its message ${known.sequence} for a while`);
    await changeStreamsRecord(this.#connection, this.#place(), (record) =>
      withSetBack(record, this.#first + this.#shards.indexOf(stream), setBack),
    );
    this.#refuse(stream, setBack);
    return true;
  }

  /** Says that a stream is another, and records what may be lost with it. */
  async #recordGone(
    { config: { name }, created, lastSequence }: ShardStream,
    since: string,
    manager: JetStreamManager,
  ): Promise<void> {
    const record = await readStreamsRecord(manager);
    if (record?.moved.includes(created)) return;
    const facts = { code: 'stream_gone', stream: name, created: since, lastAcknowledged: lastSequence };
    this.#log.error(facts, 'an event stream was deleted and created again: what was not in the lake is gone');
    const last = lastSequence > 0 ? { last: lastSequence } : {};
    const loss = { stream: name, created, ...last, at: new Date().toISOString() };
    await changeStreamsRecord(this.#connection, this.#place(), (now) => withLoss(now, loss));
  }

  /** Follows the record of streams: others may notice that a stream is set back. */
  async #followRecord(manager: JetStreamManager): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      await delay(this.#isGrowing ? GROWING_EVERY_MS : RECORD_EVERY_MS, signal);
      // Without an answer nothing is published either.
      await this.#readRecord(manager).catch((error: unknown) => {
        this.#log.debug({ err: error }, 'the record of streams cannot be read now');
      });
    }
  }

  async #readRecord(manager: JetStreamManager): Promise<void> {
    const record = await readStreamsRecord(manager);
    this.#isGrowing = record?.growth !== undefined;
    if (record) this.#onRecord(record);
    for (const [shard, stream] of this.#shards.entries()) {
      const noted = record?.setBack[this.#first + shard];
      if (noted && !stream.setBack) this.#refuse(stream, noted);
      if (noted || !stream.setBack) continue;
      stream.setBack = undefined;
      this.doubt(shard);
    }
  }

  #refuse(stream: ShardStream, setBack: SetBack): void {
    stream.setBack = setBack;
    stream.epoch = undefined;
    const { name } = stream.config;
    this.#log.error({ code: 'stream_set_back', stream: name, ...setBack }, describeSetBack(name, setBack));
  }

  #place(): { shards: number; replicas: number } {
    return { shards: this.#shards.length, replicas: this.#config.replicas };
  }
}
