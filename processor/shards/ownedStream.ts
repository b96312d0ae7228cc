import type { JetStreamManager, StreamInfo } from '@nats-io/jetstream';
import { streamInfo } from '../../stream/streams.ts';
import { streamAppId } from '../../stream/streamState.ts';
import { streamEpoch } from '../../schemas/receipt.ts';
import { StreamChangedError } from './ownerSteps.ts';

/** A shard's stream at takeover, identified by name and creation time. */
export class OwnedStream {
  readonly #manager: JetStreamManager;
  readonly name: string;
  readonly created: string;
  /** State at the takeover. */
  readonly info: StreamInfo;

  private constructor(manager: JetStreamManager, info: StreamInfo) {
    this.#manager = manager;
    this.info = info;
    this.name = info.config.name;
    this.created = info.created;
  }

  static async open(manager: JetStreamManager, name: string): Promise<OwnedStream> {
    const info = await streamInfo(manager, name);
    if (!info) throw new Error(`the stream ${name} does not exist: a receiver or processor makes it when it starts`);
    return new OwnedStream(manager, info);
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
   * @throws StreamChangedError if the stream was recreated or deleted
   */
  async now(): Promise<StreamInfo> {
    const info = await streamInfo(this.#manager, this.name);
    if (info?.created !== this.created) {
      throw new StreamChangedError(
        `${this.name} of ${this.created} is ${info ? `now that of ${info.created}` : 'gone'}`,
      );
    }
    return info;
  }
}
