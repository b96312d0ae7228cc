import type { JetStreamManager, StreamInfo } from '@nats-io/jetstream';
import { streamInfo } from '../../stream/streams.ts';
import { streamAppId } from '../../stream/streamState.ts';
import { streamEpoch } from '../../schemas/receipt.ts';
import { StreamChangedError } from './ownerSteps.ts';

/** A shard's stream as its owner found it: name and creation time are its identity. */
export class OwnedStream {
  readonly #manager: JetStreamManager;
  readonly name: string;
  readonly created: string;
  /** As of taking over. */
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

  /** Under this id the stream's progress is kept in the lake's tables; a stream made anew has another. */
  get appId(): string {
    return streamAppId(this);
  }

  /** For receipts. */
  get epoch(): number {
    return streamEpoch(this.created);
  }

  /**
   * The stream's state now. Asked after reading and before committing, it proves that what was read is this stream's.
   * @throws StreamChangedError when it is another stream now, or gone.
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
