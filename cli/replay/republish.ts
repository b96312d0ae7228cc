import { createHash } from 'node:crypto';
import { jetstream, jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { headers, type MsgHdrs, type NatsConnection } from '@nats-io/transport-node';
import { NO_ERASURES, readErasures, type ErasureList } from '../../lake/erasure/list.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { REPLAYS_BUCKET } from '../../stream/buckets.ts';
import { ShardStreams } from '../../stream/shardStreams.ts';
import { sourceOf, type StreamMessage } from '../../stream/message.ts';
import { delay } from '../../runtime/retry.ts';
import { EVENTS_HEADER, FORMAT_HEADER, readMessageHeader } from '../../schemas/envelope.ts';
import { withoutErased, type Remaining } from './leaveOut.ts';
import { NotHeldError } from './range.ts';
import { DAY_MS } from '../../runtime/units.ts';

export interface RepublishOptions {
  connection: NatsConnection;
  /** The lake with the list of erasures. */
  storage: Storage;
  replicas: number;
  tenantId: string;
  /** First and last date in the stream, both included. */
  from: string;
  to: string;
  subject: string;
  /** Events a second. */
  rate: number;
  /** Begin again from the start. */
  restart: boolean;
  signal: AbortSignal;
}

export interface RepublishReport {
  stream: string;
  target: string;
  /** Sequence of the last published message, also of earlier calls; 0: none. */
  lastSequence: number;
  /** Number published by this call. */
  messages: number;
  events: number;
  /** Events of erased people that this call omitted. */
  erased: number;
  /** Unreadable messages that this call omitted, because their person is unknown. */
  unreadable: number;
  /** The whole range is published. */
  complete: boolean;
}

/** The subject has no stream of its own. */
export class NoTargetError extends Error {
  override name = 'NoTargetError';
}

const NONE_LEFT_OUT = { erased: 0, unreadable: 0 };
const CHUNK_BYTES = 8 * 1_048_576;
const ACK_MS = 10_000;
const NOTE_EVERY_MS = 500;
/** Age at which erasures are read again. A replay may take days. */
const LIST_EVERY_MS = 5_000;

/**
 * Publish a tenant's messages again, in order, for a downstream service.
 * Events of erased people are omitted, and so are messages without other events. Each message has the `Nats-Msg-Id` of its
 * place in the stream. The position is in KV and in the last message of the target, so an interrupted call can continue.
 * @throws NotHeldError, NoTargetError; LakeError storage_unavailable
 */
export async function republish(options: RepublishOptions): Promise<RepublishReport> {
  const { connection, replicas, tenantId, from, to, subject, rate, signal } = options;
  const manager = await jetstreamManager(connection);
  const streams = await ShardStreams.open(connection);
  const stream = await streams.of(tenantId);
  const held = stream && (await streams.state(stream));
  if (!held) throw new NotHeldError('there is no stream to replay from: it was deleted, or nothing was ever received');
  const target = await targetOf(manager, subject);
  const fromMs = Date.parse(`${from}T00:00:00Z`);
  const untilMs = Date.parse(`${to}T00:00:00Z`) + DAY_MS;
  const { firstSequence, firstMs } = held;
  if (firstSequence > 1 && (firstMs ?? Infinity) > fromMs) {
    const since = firstMs === undefined ? 'no messages' : `messages from ${new Date(firstMs).toISOString()} on`;
    throw new NotHeldError(
      `the stream does not hold the whole range: ${stream.name} begins at sequence ${firstSequence} and holds ${since}`,
    );
  }
  const origin = held.appId;
  const kv = await new Kvm(connection).create(REPLAYS_BUCKET, { history: 1, replicas });
  const key = createHash('sha256').update([origin, tenantId, from, to, subject].join(' ')).digest('hex');
  const noted = options.restart ? 0 : Number((await kv.get(key))?.string() ?? 0);
  const last = options.restart ? 0 : Math.max(noted, await lastPublished(manager, { target, subject, origin }));
  const start = Math.max(last + 1, await streams.firstSince(stream, fromMs));

  const client = jetstream(connection);
  const list = new FreshList(options);
  const report = {
    stream: stream.name,
    target,
    lastSequence: last,
    messages: 0,
    events: 0,
    ...NONE_LEFT_OUT,
    complete: false,
  };
  const startedAt = performance.now();
  let notedAt = startedAt;
  for (let next = start; ;) {
    const read = await streams.read(stream, { tenantId, from: next, maxBytes: CHUNK_BYTES });
    for (const message of read.messages) {
      if (message.subject.startsWith('quarantine.')) continue;
      if (message.timeMs >= untilMs) return done({ ...report, complete: true });
      // The rate is over the whole call, so that pauses do not add up.
      const earlyMs = (report.events / rate) * 1_000 - (performance.now() - startedAt);
      if (earlyMs > 0) await delay(earlyMs, signal);
      if (signal.aborted) return done(report);
      const { sequence } = message;
      const { data, events, leftOut } = remaining(message, await list.now()) ?? UNREADABLE;
      if (data === undefined) report.unreadable++;
      report.erased += leftOut;
      if (data !== undefined && (events > 0 || leftOut === 0)) {
        const fields = headersOf(message, { id: `${origin}.${sequence}`, events });
        await client.publish(subject, data, { headers: fields, timeout: ACK_MS, expect: { streamName: target } });
        report.messages++;
        report.events += events;
      }
      report.lastSequence = sequence;
      if (performance.now() - notedAt < NOTE_EVERY_MS) continue;
      notedAt = performance.now();
      await kv.put(key, String(message.sequence));
    }
    if (read.complete) return done({ ...report, complete: true });
    next = read.messages.at(-1)!.sequence + 1;
  }

  async function done(finished: RepublishReport): Promise<RepublishReport> {
    await kv.put(key, String(finished.lastSequence));
    return finished;
  }
}

/** Find a subject's stream, which must not be one of Spor's own. */
async function targetOf(manager: JetStreamManager, subject: string): Promise<string> {
  const name = await manager.streams.find(subject).catch(() => undefined);
  if (name === undefined) {
    throw new NoTargetError(
      `no stream takes ${subject}: create one first, such as "nats stream add --subjects ${subject}"`,
    );
  }
  if (/^EVENTS_\d+$/.test(name)) {
    throw new NoTargetError(`${subject} belongs to ${name}, from which processors write the lake: use another subject`);
  }
  return name;
}

/** Position in the id of the target's last message, or 0. */
async function lastPublished(
  manager: JetStreamManager,
  { target, subject, origin }: { target: string; subject: string; origin: string },
): Promise<number> {
  const message = await manager.streams.getMessage(target, { last_by_subj: subject }).catch(() => undefined);
  const id = message?.header.get('Nats-Msg-Id') ?? '';
  return id.startsWith(`${origin}.`) ? Number(id.slice(origin.length + 1)) || 0 : 0;
}

/** Cache of a tenant's list of erasures, for some seconds. */
class FreshList {
  readonly #options: Pick<RepublishOptions, 'storage' | 'tenantId'>;
  #list: ErasureList = NO_ERASURES;
  #readAt = -Infinity;

  constructor(options: Pick<RepublishOptions, 'storage' | 'tenantId'>) {
    this.#options = options;
  }

  async now(): Promise<ErasureList> {
    if (performance.now() - this.#readAt > LIST_EVERY_MS) {
      this.#list = await readErasures(this.#options.storage, this.#options.tenantId);
      this.#readAt = performance.now();
    }
    return this.#list;
  }
}

const UNREADABLE = { data: undefined, events: 0, leftOut: 0 };

/** Publishable part of a message. Undefined: unreadable, and erasures exist. */
function remaining(message: StreamMessage, list: ErasureList): Remaining | undefined {
  const { data } = message;
  if (list.ids.length === 0) return { data, events: eventsOf(data), leftOut: 0 };
  try {
    return withoutErased(data, sourceOf(message), list);
  } catch {
    return undefined;
  }
}

function headersOf({ format }: StreamMessage, { id, events }: { id: string; events: number }): MsgHdrs {
  const fields = headers();
  fields.set('Nats-Msg-Id', id);
  if (format !== undefined) fields.set(FORMAT_HEADER, format);
  fields.set(EVENTS_HEADER, String(events));
  return fields;
}

/** Number of accepted events; 0 if no receiver wrote the message. */
function eventsOf(data: Uint8Array): number {
  try {
    return readMessageHeader(data).header.batches.reduce((sum, { accepted }) => sum + (Number(accepted) || 0), 0);
  } catch {
    return 0;
  }
}
