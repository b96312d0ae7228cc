import type { JetStreamManager, StreamInfo } from '@nats-io/jetstream';
import { streamInfo } from '../../stream/streamInfo.ts';
import { streamAppId, streamStateOf, type StreamIdentity } from '../../stream/streamState.ts';
import { streamEpoch } from '../../schemas/receipt.ts';
import { confirmSetBack, contradicts, StreamSetBackError, type SetBackLook } from '../../stream/incarnation.ts';
import { leaderTerm } from '../../stream/quorum.ts';
import {
  changeStreamsRecord,
  readStreamsRecord,
  touchStreamsRecord,
  withLoss,
  withSetBack,
  type KnownMessage,
} from '../../stream/streamsRecord.ts';
import { streamName } from '../../schemas/subjects.ts';
import type { StreamAccess } from './context.ts';
import { StreamChangedError } from './ownerSteps.ts';

const NO_MESSAGE = 10037;

/**
 * A shard's stream at takeover, identified by name, creation time and history.
 *
 * The newest known message outlives the owner, so that a later owner in this process notices a stream that was set back.
 */
export class OwnedStream {
  readonly #access: StreamAccess;
  readonly #manager: JetStreamManager;
  readonly #shard: number;
  readonly name: string;
  readonly created: string;
  /** State at the takeover. */
  readonly info: StreamInfo;
  /** Messages of the incarnation before that are in no table, if this process knew it. */
  readonly gone: number;
  /** Highest sequence that a message of the stream has proven. */
  #proven = 0;

  private constructor(access: StreamAccess, { shard, info, gone }: { shard: number; info: StreamInfo; gone: number }) {
    this.#access = access;
    this.#manager = access.manager;
    this.#shard = shard;
    this.info = info;
    this.gone = gone;
    this.name = info.config.name;
    this.created = info.created;
  }

  /** @throws StreamSetBackError if the stream is known to be set back */
  static async open(access: StreamAccess, shard: number): Promise<OwnedStream> {
    const { manager } = access;
    const name = streamName(shard);
    await mustNotBeNoted(manager, shard);
    const info = await streamInfo(manager, name);
    if (!info) throw new Error(`the stream ${name} does not exist: a receiver or processor makes it when it starts`);
    const former = access.known.created(name);
    const gone =
      former === undefined || former === info.created ? 0 : await recordGone(access, { name, created: former });
    access.known.enter(name, info.created);
    const stream = new OwnedStream(access, { shard, info, gone });
    await stream.now();
    return stream;
  }

  /** Id of the stream's position in the lake's tables. A recreated stream has another. */
  get appId(): string {
    return streamAppId(this);
  }

  /** Epoch of receipts. */
  get epoch(): number {
    return streamEpoch(this.created);
  }

  /**
   * Reads the stream's current state.
   *
   * A call after reading and before the commit proves that the messages are this stream's.
   * @throws StreamChangedError if the stream was recreated or deleted; StreamSetBackError
   */
  async now(): Promise<StreamInfo> {
    const info = await streamInfo(this.#manager, this.name);
    if (info?.created !== this.created) throw await this.#changed(info);
    const state = streamStateOf(info);
    const known = this.#access.known.newest(this.appId);
    if (known && contradicts(known, state)) await this.#refuseSetBack(known);
    else this.know({ sequence: state.lastSequence, timeMs: state.lastMs });
    return info;
  }

  /** @throws StreamSetBackError if anybody noticed that the stream is set back */
  mustNotBeNoted(): Promise<void> {
    return mustNotBeNoted(this.#manager, this.#shard);
  }

  /** Remembers a message that the stream held. */
  know(message: KnownMessage): void {
    this.#access.known.saw(this.appId, message);
  }

  /**
   * Proves that the stream still holds the history up to a message.
   *
   * A message that was trimmed counts as held: only committed messages are trimmed.
   * @throws StreamSetBackError
   */
  async mustHold(message: KnownMessage): Promise<void> {
    if (message.sequence <= this.#proven) return;
    await this.mustStillHold(message);
    this.#proven = message.sequence;
    this.know(message);
  }

  /** As mustHold, also for a message that was proven before. @throws StreamSetBackError */
  async mustStillHold(message: KnownMessage): Promise<void> {
    if (await this.#lacks(message)) await this.#refuseSetBack(message);
  }

  async #lacks({ sequence, timeMs }: KnownMessage): Promise<boolean> {
    const info = await streamInfo(this.#manager, this.name);
    if (info?.created !== this.created) throw await this.#changed(info);
    const state = streamStateOf(info);
    if (contradicts({ sequence, timeMs }, state)) return true;
    if (timeMs === undefined || sequence < state.firstSequence) return false;
    const held = await this.#message(sequence);
    return held !== undefined && held !== timeMs;
  }

  /** Store time of a message; undefined if the stream does not hold it. */
  async #message(seq: number): Promise<number | undefined> {
    try {
      return (await this.#manager.streams.getMessage(this.name, { seq }))?.time.getTime();
    } catch (error) {
      if ((error as { code?: number }).code === NO_MESSAGE) return undefined;
      throw error;
    }
  }

  /** Makes sure, tells everybody by the record, and throws. Returns if it was a false alarm. */
  async #refuseSetBack(known: KnownMessage): Promise<void> {
    const { connection, shards, replicas } = this.#access;
    const look = async (): Promise<SetBackLook | undefined> => {
      if (!(await this.#lacks(known))) return undefined;
      const info = await streamInfo(this.#manager, this.name);
      const lastSequence = info?.state.last_seq ?? 0;
      const setBack = { created: this.created, known, lastSequence, at: new Date().toISOString() };
      return { setBack, leader: info && leaderTerm(info) };
    };
    const setBack = await confirmSetBack(look, () => touchStreamsRecord(connection, replicas));
    if (!setBack) return;
    await changeStreamsRecord(connection, { shards, replicas }, (record) => withSetBack(record, this.#shard, setBack));
    throw new StreamSetBackError(this.name, setBack);
  }

  /** The error for a stream that is another now. */
  async #changed(info: StreamInfo | undefined): Promise<StreamChangedError> {
    const { name, created } = this;
    const gone = await recordGone(this.#access, this);
    return new StreamChangedError(`${name} of ${created} is ${info ? `now that of ${info.created}` : 'gone'}`, gone);
  }
}

/** Records what went with an incarnation that this process knew, once. @returns the number of lost messages */
async function recordGone(
  { connection, known, shards, replicas }: StreamAccess,
  { name, created }: StreamIdentity,
): Promise<number> {
  const appId = streamAppId({ name, created });
  const last = known.newest(appId)?.sequence;
  if (last === undefined || known.hasEnded(appId)) return 0;
  const after = known.committed(appId);
  const loss = { stream: name, created, after, last, at: new Date().toISOString() };
  await changeStreamsRecord(connection, { shards, replicas }, (record) =>
    record.moved.includes(created) ? record : withLoss(record, loss),
  );
  known.end(appId);
  return Math.max(0, last - after);
}

/** A note stands until a command has moved what the stream holds. @throws StreamSetBackError */
async function mustNotBeNoted(manager: JetStreamManager, shard: number): Promise<void> {
  const noted = (await readStreamsRecord(manager))?.setBack[shard];
  if (noted) throw new StreamSetBackError(streamName(shard), noted);
}
