/*
 * A growth moves all tenants to a new range of shards, and their events stay exactly once.
 *
 * "spor shards grow" writes the wish into the record of streams. The owner of the first shard carries it out, and its next
 * owner goes on after a crash. Each step can be repeated.
 *
 *   wanted    the streams of the new range are made; nobody uses them
 *   closing   receivers hold what comes, and processors flush at once
 *   sealed    the old streams take nothing any more, for good; nothing is held in a receiver's memory alone
 *   grown     all of the old streams is in the lake, and the record names the new range
 *
 * A tenant's events so have one stream at a time that is not wholly in the lake. Its owner compares event ids with the
 * lake, which has all earlier ones. "closing" that takes too long is taken back. A sealed stream never opens again, so a
 * late owner of any step can do no harm.
 */
import type { JetStreamManager, StreamInfo } from '@nats-io/jetstream';
import type { Logger } from '../../runtime/log.ts';
import { shardNumbers, streamName, streamSubjects, type ShardRange } from '../../schemas/subjects.ts';
import { floorOf, type ShardProgress } from '../../stream/progress.ts';
import { streamInfo } from '../../stream/streamInfo.ts';
import { createStream } from '../../stream/streams.ts';
import {
  changeStreamsRecord,
  rangeAfter,
  rangeOf,
  type Growth,
  type StreamsRecord,
} from '../../stream/streamsRecord.ts';
import type { ReachGrowth } from '../failpoint.ts';
import type { StreamAccess } from './context.ts';

/** Time for receivers to see that they must hold. One that does not see it is stopped by the seal. */
const HOLD_MS = 400;
/** Longest time that receivers hold. */
const CLOSING_MS = 8_000;
/** Time between two tries to close. */
const AGAIN_MS = 30_000;
/** Bytes of a shard that are not in the lake, up to which a growth may close: some seconds of work. */
const MOST_UNCOMMITTED_BYTES = 64 * 1_048_576;

/** An old shard, as the plan sees it. */
export interface OldShard {
  shard: number;
  lastSequence: number;
  floor: number;
  sealed: boolean;
  /** About as many bytes are not in the lake. */
  uncommittedBytes: number;
  parked: boolean;
  setBack: boolean;
}

export type GrowthStep =
  | { do: 'wait'; for?: string }
  | { do: 'prepare' }
  | { do: 'close' }
  | { do: 'seal' }
  | { do: 'open' }
  | { do: 'switch' };

/**
 * Chooses the next step of a growth. Pure.
 * @param closingMs time since this process saw that it is closing
 * @param triedMs time since this process took the last try back
 */
export function planGrowth(
  growth: Growth,
  shards: readonly OldShard[],
  { prepared, closingMs, triedMs }: { prepared: boolean; closingMs: number; triedMs: number },
): GrowthStep {
  if (!prepared) return { do: 'prepare' };
  const drained = shards.every(({ floor, lastSequence }) => floor >= lastSequence);
  const sealed = shards.filter(({ sealed }) => sealed).length;
  if (sealed === shards.length)
    return drained ? { do: 'switch' } : { do: 'wait', for: 'the last events of the old shards' };
  // What is sealed stays so: there is only the way forward.
  if (sealed > 0) return { do: 'seal' };
  if (!growth.closing) {
    const obstacle = obstacleOf(shards);
    if (obstacle !== undefined) return { do: 'wait', for: obstacle };
    return triedMs < AGAIN_MS ? { do: 'wait', for: 'a quieter moment: the last try took too long' } : { do: 'close' };
  }
  if (closingMs < HOLD_MS) return { do: 'wait' };
  if (drained) return { do: 'seal' };
  return closingMs > CLOSING_MS ? { do: 'open' } : { do: 'wait' };
}

/** Why receivers should not have to hold now, if they should not. */
function obstacleOf(shards: readonly OldShard[]): string | undefined {
  const of = (holds: (shard: OldShard) => boolean): string =>
    shards
      .filter(holds)
      .map(({ shard }) => shard)
      .join(', ');
  const setBack = of((shard) => shard.setBack);
  if (setBack) return `shard ${setBack}, which is set back: run "npx spor stream carry-over"`;
  const parked = of((shard) => shard.parked);
  if (parked) return `shard ${parked}, which has a parked tenant: see "npx spor status"`;
  const behind = of((shard) => shard.uncommittedBytes > MOST_UNCOMMITTED_BYTES);
  return behind ? `shard ${behind}, which is behind: its processor has to catch up` : undefined;
}

/** Closes a stream for good. */
async function seal(manager: JetStreamManager, name: string): Promise<void> {
  // The client's type of an update leaves out what cannot be undone.
  const sealed: object = { sealed: true };
  await manager.streams.update(name, sealed);
}

/** Carries out a growth, step by step. One object for each process; only the owner of the first shard calls it. */
export class GrowthCoordinator {
  readonly #access: StreamAccess;
  readonly #limits: { maxBytes: number };
  readonly #reach: ReachGrowth;
  readonly #log: Logger;
  #closingSince: number | undefined;
  #takenBackAt = -Infinity;
  #said: string | undefined;

  constructor(access: StreamAccess, options: { maxBytes: number; reach: ReachGrowth; log: Logger }) {
    this.#access = access;
    this.#limits = options;
    this.#reach = options.reach;
    this.#log = options.log;
  }

  /** Takes the next step, if a growth is wanted. Safe to repeat, and beside another owner. */
  async step(record: StreamsRecord): Promise<void> {
    const { growth } = record;
    if (!growth) return;
    const nowMs = performance.now();
    if (growth.closing) this.#closingSince ??= nowMs;
    else this.#closingSince = undefined;
    const next = rangeAfter(record, growth.shards);
    const [shards, fresh] = await Promise.all([this.#oldShards(record), this.#infos(next)]);
    const step = planGrowth(growth, shards, {
      prepared: fresh.every((info) => info !== undefined),
      closingMs: nowMs - (this.#closingSince ?? nowMs),
      triedMs: nowMs - this.#takenBackAt,
    });
    await this.#take(step, record, next);
    this.#say(step);
  }

  async #take(step: GrowthStep, record: StreamsRecord, next: ShardRange): Promise<void> {
    const { manager } = this.#access;
    const grow = (change: (growth: Growth) => Growth): Promise<void> =>
      this.#change(record, (now) => (now.growth ? { ...now, growth: change(now.growth) } : now));
    switch (step.do) {
      case 'wait':
        if (record.growth?.waitsFor !== step.for && !record.growth?.closing)
          await grow(({ shards, at }) => ({ shards, at, ...(step.for === undefined ? {} : { waitsFor: step.for }) }));
        return;
      case 'prepare':
        await this.#prepare(record, next);
        return this.#reach('after-prepare');
      case 'close':
        await grow(({ shards, at }) => ({ shards, at, closing: true }));
        return this.#reach('after-close');
      case 'open':
        this.#takenBackAt = performance.now();
        return grow(({ shards, at }) => ({ shards, at }));
      case 'seal':
        for (const shard of shardNumbers(rangeOf(record))) {
          await seal(manager, streamName(shard));
          this.#reach('after-seal');
        }
        return;
      case 'switch':
        this.#reach('before-switch');
        await this.#change(record, ({ growth, before = [], ...now }) =>
          growth ? { ...now, first: next.first, shards: next.shards, before: [...before, rangeOf(record)] } : now,
        );
        this.#log.info({ ...next }, 'the shards have grown');
    }
  }

  /** Makes the streams of the new range. */
  async #prepare(record: StreamsRecord, next: ShardRange): Promise<void> {
    const { manager, replicas } = this.#access;
    const created: Record<number, string> = {};
    for (const shard of shardNumbers(next)) {
      const stream = { name: streamName(shard), subjects: streamSubjects(shard) };
      const info = await createStream(manager, stream, { ...this.#limits, replicas, shards: next.shards });
      created[shard] = info.created;
    }
    await this.#change(record, (now) => ({ ...now, created: { ...now.created, ...created } }));
  }

  /** Changes the record, unless another owner has finished this growth already. */
  #change(seen: StreamsRecord, change: (record: StreamsRecord) => StreamsRecord): Promise<void> {
    const { connection, shards, replicas } = this.#access;
    return changeStreamsRecord(connection, { shards, replicas }, (now) =>
      now.growth && rangeOf(now).first === rangeOf(seen).first ? change(now) : now,
    );
  }

  async #oldShards(record: StreamsRecord): Promise<OldShard[]> {
    const { progress } = this.#access;
    const range = rangeOf(record);
    const infos = await this.#infos(range);
    return Promise.all(
      shardNumbers(range).map(async (shard, index) => {
        const info = infos[index];
        if (!info) throw new Error(`${streamName(shard)} is missing`);
        const noted = await progress.read(shard);
        const floor = Math.max(floorOf(noted, info.created), info.state.first_seq - 1);
        return {
          shard,
          floor,
          lastSequence: info.state.last_seq,
          sealed: info.config.sealed,
          uncommittedBytes: uncommittedBytes(info, floor, noted),
          parked: noted?.created === info.created && (noted.parked?.length ?? 0) > 0,
          setBack: record.setBack[shard] !== undefined,
        };
      }),
    );
  }

  #infos(range: ShardRange): Promise<(StreamInfo | undefined)[]> {
    return Promise.all(shardNumbers(range).map((shard) => streamInfo(this.#access.manager, streamName(shard))));
  }

  #say(step: GrowthStep): void {
    const said = step.do === 'wait' ? step.for : step.do;
    if (said !== undefined && said !== this.#said)
      this.#log.info({ step: step.do, ...('for' in step ? { for: step.for } : {}) }, 'a growth of the shards goes on');
    this.#said = said ?? this.#said;
  }
}

/** An estimate, by the mean size of a message. */
function uncommittedBytes({ state, created }: StreamInfo, floor: number, noted: ShardProgress | undefined): number {
  const { through = floor, ahead = 0 } = noted?.created === created ? noted : {};
  const messages = Math.max(0, state.last_seq - Math.max(floor, through) - ahead);
  return state.messages === 0 ? 0 : messages * (state.bytes / state.messages);
}
