import type { BatchHeader, RejectedEvent } from '../schemas/envelope.ts';
import { ReceiverError, type RequestErrorCode } from '../schemas/errors.ts';
import { LIMITS } from '../schemas/limits.ts';
import { formatReceipt } from '../schemas/receipt.ts';
import type { QuotaStanding } from '../schemas/quotas.ts';
import type { Registry } from '../schemas/registry.ts';
import type { ComparedClock, PresentTimes } from '../stream/comparedClock.ts';
import type { SubjectKind } from '../schemas/subjects.ts';
import type { Logger } from '../runtime/log.ts';
import type { Tracer } from '../runtime/tracing.ts';
import type { ByteBudget } from './byteBudget.ts';
import { acceptedAnswer, dryRunAnswer, failureAnswer, plainFailure, type ReceiverAnswer } from './answers.ts';
import { checkShape, clockSkewMs, decodeText, isStale, parseBody, type Body } from './events/batch.ts';
import type { Judge, Judgement } from './events/judge.ts';
import { eventRow } from '../schemas/eventRow.ts';
import { decompress, type Coding } from './events/decompress.ts';
import { FairQueue } from './fairQueue.ts';
import { keylessBody } from './keylessBody.ts';
import { authorizeAt, checkQuota, type Credentials } from './keys/authorize.ts';
import type { Key, Keyring } from './keys/keyring.ts';
import type { TenantQuotas } from './quotas/tenantQuotas.ts';
import type { IngestMetrics } from './metrics.ts';
import { receiptTime, sentTime } from './receiptClock.ts';
import { readableBody, withoutKeys } from './rejectedBody.ts';
import { traceBatch } from './traceBatch.ts';
import type { Batch } from './stream/placeBatch.ts';

/** A complete POST. The body is valid only during the call. */
export interface Post extends Omit<Credentials, 'bodyKey'> {
  body: Buffer;
  coding: Coding;
  userAgent: string | undefined;
  /** Trace of the sender (W3C). */
  traceparent?: string | undefined;
  dryRun: boolean;
  /** Length of the body as it came, if `body` is the decompressed one. */
  bytes?: number;
}

/** Sender and times of a batch, for its header in the stream. */
interface Sender {
  key: Key;
  receivedAtMs: number;
  sentAt: string | undefined;
  skewMs: number;
  userAgent: string | undefined;
  traceparent: string | undefined;
  /** When the work on the body began, in milliseconds since 1970. */
  startedMs: number;
  bytes: number;
}

/** A rejected body; `body` is present if it was JSON. */
interface Refusal {
  sender: Sender;
  error: unknown;
  post: Post;
  body?: Body;
}

export interface IntakeOptions {
  keyring: Keyring;
  /** Absent: quotas of tenants do not bind. */
  quotas?: TenantQuotas | undefined;
  /** Absent: nothing is traced. */
  tracer?: Tracer | undefined;
  judge: Judge;
  registry: Registry;
  commit: { submit: (batch: Batch) => void };
  budget: ByteBudget;
  metrics: IngestMetrics;
  log: Logger;
  ackDeadlineMs: number;
  clock: Pick<ComparedClock, 'times'>;
}

const KEYS_STALE =
  'Changes of keys cannot be followed now, so a revoked key cannot be told from a good one. Send again later.';

/** Failures of a whole body of a known key that go into the quarantine. */
const KEPT: ReadonlySet<RequestErrorCode> = new Set(['body_not_json', 'body_invalid', 'body_encoding_invalid']);

/** Bytes that a waiting request takes besides its body. */
const WAITING_BYTES = 2_048;

/**
 * Process a POST: key, shape, quota, verdicts, stream, receipt.
 * Work up to the stream is one task of its tenant. The answer follows when the stream has confirmed the write.
 */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #queue = new FairQueue();

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /**
   * Reject a request by its head, before its body is read. Returns the tenant of the key in the header.
   * @throws ReceiverError
   */
  admit({ headerKey, origin }: Omit<Credentials, 'bodyKey'>): string | undefined {
    if (headerKey === undefined) return undefined;
    const times = this.#options.clock.times();
    const key = authorizeAt(times, this.#options.keyring, { headerKey, bodyKey: undefined, origin });
    this.#checkQuotas(key, times);
    return key.tenantId;
  }

  /**
   * Take a POST; `respond` is called once, now or later.
   * While the keys are not current, a POST waits for them, because its key may have been revoked. Then its sender is found.
   * The body of a known one waits for its turn among the tenants.
   */
  receive(post: Post, respond: (answer: ReceiverAnswer) => void): void {
    const { keyring, budget } = this.#options;
    if (keyring.current) return this.#receiveNow(post, respond);
    const bytes = post.body.length + WAITING_BYTES;
    if (!budget.take(bytes, undefined)) return respond(this.#failure(plainFailure('overloaded')));
    const kept = { ...post, body: Buffer.from(post.body) };
    void keyring.untilCurrent().then((current) => {
      budget.release(bytes, undefined);
      if (current) this.#receiveNow(kept, respond);
      else respond(this.#failure(new ReceiverError('keys_unavailable', KEYS_STALE)));
    });
  }

  #receiveNow(post: Post, respond: (answer: ReceiverAnswer) => void): void {
    const times = this.#options.clock.times();
    const attempt = (task: () => void): void => {
      try {
        task();
      } catch (error) {
        respond(this.#failure(error));
      }
    };
    attempt(() => {
      const { tenantId, plain } = this.#identify(post, times);
      const found = plain ? { ...post, body: plain, coding: 'identity' as const, bytes: post.body.length } : post;
      const read = (whole: Post, late = false): void =>
        attempt(() => {
          if (late) throw plainFailure('overloaded');
          this.#receive(whole, times, respond);
        });
      if (tenantId === undefined) read(found);
      else this.#inTurn(tenantId, found, read);
    });
  }

  /** Find the tenant of a POST, and the body if it had to be read for that. @throws ReceiverError */
  #identify(post: Post, times: PresentTimes): { tenantId?: string; plain?: Buffer } {
    const check = (bodyKey: string | undefined): string => {
      const key = authorizeAt(times, this.#options.keyring, { ...post, bodyKey });
      this.#checkQuotas(key, times);
      return key.tenantId;
    };
    return post.headerKey === undefined ? keylessBody(post.body, post.coding, check) : { tenantId: check(undefined) };
  }

  /** Read a POST now, or a copy of it after those of other tenants. @throws ReceiverError overloaded */
  #inTurn(tenantId: string, post: Post, read: (post: Post, late?: boolean) => void): void {
    const { budget, ackDeadlineMs } = this.#options;
    const queue = this.#queue;
    if (!queue.busy) return queue.run(tenantId, () => read(post));
    const bytes = post.body.length + WAITING_BYTES;
    if (!budget.take(bytes, tenantId)) throw plainFailure('overloaded');
    const kept = { ...post, body: Buffer.from(post.body) };
    const untilMs = performance.now() + ackDeadlineMs;
    queue.run(tenantId, () => {
      budget.release(bytes, tenantId);
      read(kept, performance.now() > untilMs);
    });
  }

  #receive(post: Post, times: PresentTimes, respond: (answer: ReceiverAnswer) => void): void {
    const { keyring, judge } = this.#options;
    const sender = {
      receivedAtMs: receiptTime(times, undefined),
      sentAt: undefined,
      skewMs: 0,
      userAgent: post.userAgent,
      traceparent: post.traceparent,
      startedMs: Date.now(),
      bytes: post.bytes ?? post.body.length,
    };
    let body: Body;
    try {
      body = parseBody(decodeText(decompress(post.body, post.coding, LIMITS.bodyBytes)));
    } catch (error) {
      // An unreadable body has no key.
      if (post.headerKey === undefined) throw error;
      const key = authorizeAt(times, keyring, { ...post, bodyKey: undefined });
      return this.#refuseBody({ sender: { ...sender, key }, error, post }, respond);
    }
    const key = authorizeAt(times, keyring, { ...post, bodyKey: body.key });
    this.#checkQuotas(key, times);
    let shape;
    try {
      shape = checkShape(body);
    } catch (error) {
      return this.#refuseBody({ sender: { ...sender, key }, error, post, body }, respond);
    }
    const { events, exactEvents, sentAt, corrected } = shape;
    this.#take(key, events.length);
    const receivedAtMs = times.length === 1 ? times[0] : receiptTime(times, sentTime(sentAt, events));
    const fromPage = key.kind === 'browser' && post.origin !== undefined;
    const skewMs = clockSkewMs(sentAt, receivedAtMs, fromPage);
    if (sentAt !== undefined && isStale(sentAt, receivedAtMs, fromPage))
      corrected.push({ kind: 'clock', path: '/sentAt' });
    const judgement = judge.judge({
      events,
      exactEvents,
      receivedAtMs,
      skewMs,
      damaged: body.damaged,
      keyKind: key.kind,
    });
    judgement.corrected.unshift(...corrected);
    const known: Sender = { ...sender, key, receivedAtMs, sentAt, skewMs };
    if (post.dryRun) respond(this.#dryRun(known, judgement));
    else this.#store(known, judgement, respond);
  }

  /** Write a judged batch to the stream, then answer. */
  #store(sender: Sender, judgement: Judgement, respond: (answer: ReceiverAnswer) => void): void {
    const accepted = judgement.lineEnds.length;
    const { rejected, corrected } = judgement;
    this.#submit(
      accepted > 0 ? 'events' : 'quarantine',
      sender,
      judgement,
      (receiptId) => {
        if (accepted > 0) {
          const quotas = this.#count(sender, accepted);
          return respond(acceptedAnswer(receiptId, { accepted, rejected, corrected, quotas }));
        }
        const message = `All ${rejected.length} events were rejected; "rejected" says why. The quarantine keeps them.`;
        respond(failureAnswer(new ReceiverError('no_valid_event', message), rejected));
      },
      respond,
    );
  }

  /**
   * Answer a rejected body, and keep it in the quarantine if a repetition is useless.
   * @throws the error itself if nothing is kept
   */
  #refuseBody({ sender, error, post, body }: Refusal, respond: (answer: ReceiverAnswer) => void): void {
    if (!post.dryRun) this.#take(sender.key, 1); // it had to be read, like an event
    if (!(error instanceof ReceiverError) || !KEPT.has(error.code) || post.dryRun) throw error;
    const text = body?.text ?? readableBody(post.body, post.coding);
    const raw = withoutKeys(text, [post.headerKey, body?.key]);
    const message = error.message.toWellFormed();
    const rejected = [{ index: null, code: error.code, path: '', message, raw }];
    const judgement = { lineEnds: [], rejected, corrected: [] };
    this.#submit('quarantine', sender, judgement, () => respond(failureAnswer(error)), respond);
  }

  /** @throws ReceiverError quota_exceeded, tenant_quota_exceeded */
  #checkQuotas(key: Key, [nowMs]: PresentTimes): void {
    checkQuota(key, nowMs);
    this.#options.quotas?.of(key.tenantId)?.check(nowMs);
  }

  #take({ quota, tenantId }: Key, events: number): void {
    quota?.take(events);
    this.#options.quotas?.of(tenantId)?.take(events);
  }

  /** Counts accepted events against the tenant's quotas, which it returns. */
  #count({ key }: Sender, accepted: number): QuotaStanding[] {
    const quota = this.#options.quotas?.of(key.tenantId);
    if (!quota) return [];
    const [nowMs] = this.#options.clock.times();
    quota.stored(accepted, nowMs);
    return quota.standing(nowMs);
  }

  #submit(
    kind: SubjectKind,
    sender: Sender,
    { lineEnds, rejected, corrected }: Judgement,
    stored: (receiptId: string) => void,
    respond: (answer: ReceiverAnswer) => void,
  ): void {
    const { commit, metrics, ackDeadlineMs, tracer } = this.#options;
    const trace = tracer && traceBatch(tracer, sender);
    const { tenantId, segmentId } = sender.key;
    const accepted = lineEnds.length; // the closure below must not hold the lines until the answer
    commit.submit({
      kind,
      tenantId,
      segmentId,
      header: batchHeader(sender, accepted, rejected, trace?.text),
      lineEnds,
      deadlineMs: performance.now() + ackDeadlineMs,
      settle: (outcome) => {
        trace?.ended(outcome, accepted);
        if ('failed' in outcome) {
          const message = `The event stream did not take the batch: ${outcome.failed}. Send it again later; what was stored already is not stored twice.`;
          return respond(failureAnswer(new ReceiverError('stream_unavailable', message)));
        }
        metrics.eventsStored(accepted, rejected, corrected);
        stored(formatReceipt(outcome));
      },
    });
  }

  #dryRun({ key, receivedAtMs, sentAt, skewMs, userAgent }: Sender, judgement: Judgement): ReceiverAnswer {
    const { lineEnds, rejected, corrected } = judgement;
    const { tenantId, segmentId, keyId, kind: keyKind } = key;
    const receivedAt = new Date(receivedAtMs).toISOString();
    const facts = { tenantId, segmentId, receivedAt, sentAt, skewMs, keyId, keyKind, userAgent };
    const rows = lineEnds.map((lineEnd) =>
      eventRow(JSON.parse(`{"b":0${lineEnd}`) as Record<string, unknown>, facts, this.#options.registry),
    );
    return dryRunAnswer({ rejected, corrected, rows });
  }

  #failure(error: unknown): ReceiverAnswer {
    if (error instanceof ReceiverError) return failureAnswer(error);
    this.#options.log.error({ err: error }, 'a request failed by an internal error');
    return failureAnswer(plainFailure('internal'));
  }
}

function batchHeader(sender: Sender, accepted: number, rejected: readonly RejectedEvent[], trace?: string): string {
  const { key, receivedAtMs, sentAt, skewMs, userAgent, bytes } = sender;
  const header: BatchHeader = {
    receivedAt: new Date(receivedAtMs).toISOString(),
    ...(sentAt === undefined ? {} : { sentAt }),
    skewMs,
    keyId: key.keyId,
    keyKind: key.kind,
    ...(userAgent === undefined ? {} : { userAgent }),
    ...(trace === undefined ? {} : { trace }),
    bytes,
    accepted,
    ...(rejected.length === 0 ? {} : { rejected: [...rejected] }),
  };
  // Quarantine and console show the joined message.
  return JSON.stringify(header, (name, value: unknown) => (name === 'faults' ? undefined : value));
}
