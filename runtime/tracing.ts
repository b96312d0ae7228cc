import { randomBytes } from 'node:crypto';
import { Counter } from 'prom-client';
import type { Logger } from './log.ts';
import type { MetricsRegistry } from './metrics.ts';
import { text, whole } from './config.ts';

/** Settings of traces, with the names that OpenTelemetry has given them. */
export const TRACING_SETTINGS = {
  traceEndpoint: text(
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    'address of an OpenTelemetry collector for traces, such as http://127.0.0.1:4318; empty: no traces',
    '',
  ),
  traceOneOf: whole(
    'SPOR_TRACE_ONE_OF',
    'of so many batches one is traced, besides those with a traceparent',
    1_000,
    1,
  ),
};

/** Place of a span: the trace, and the span that others are part of. */
export interface TraceContext {
  traceId: string;
  spanId: string;
}

/** A finished span. Times are in milliseconds since 1970. */
export interface Span {
  name: string;
  startMs: number;
  endMs: number;
  attributes: Record<string, string | number>;
  /** What went wrong; absent: nothing. */
  error?: string;
}

const FLUSH_MS = 1_000;
const ANSWER_MS = 5_000;
/** Spans that wait for the collector. More are dropped and counted. */
const MOST_WAITING = 2_048;
const SAMPLED = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]?[13579bdf]$/;
/** Status codes of OTLP (opentelemetry/proto/trace/v1/trace.proto). */
const STATUS_ERROR = 2;
const KIND_INTERNAL = 1;

/**
 * Traces as OpenTelemetry has them, sent to a collector in OTLP over HTTP with JSON.
 *
 * The format is fixed since OTLP 1.0 (https://opentelemetry.io/docs/specs/otlp/#otlphttp), and small. So it is written here,
 * and no library runs in the services. A collector that is away costs nothing: spans that do not fit are dropped.
 */
export class Tracer {
  readonly #url: string;
  readonly #service: string;
  readonly #oneOf: number;
  readonly #log: Logger;
  readonly #dropped: Counter;
  readonly #timer: NodeJS.Timeout;
  #waiting: object[] = [];
  #sending: Promise<void> = Promise.resolve();

  private constructor(
    { traceEndpoint, traceOneOf }: { traceEndpoint: string; traceOneOf: number },
    { service, log, metrics }: { service: string; log: Logger; metrics: MetricsRegistry },
  ) {
    this.#url = new URL('v1/traces', traceEndpoint.endsWith('/') ? traceEndpoint : `${traceEndpoint}/`).href;
    this.#service = service;
    this.#oneOf = traceOneOf;
    this.#log = log;
    this.#dropped = createDroppedSpans(metrics);
    this.#timer = setInterval(() => this.#flush(), FLUSH_MS);
    this.#timer.unref();
  }

  /** The tracer of a service; undefined if traces are off. */
  static start(
    settings: { traceEndpoint: string; traceOneOf: number },
    of: { service: string; log: Logger; metrics: MetricsRegistry },
  ): Tracer | undefined {
    return settings.traceEndpoint === '' ? undefined : new Tracer(settings, of);
  }

  /**
   * Begins the trace of a batch, if it is one of those to trace.
   * @param traceparent of the sender (https://www.w3.org/TR/trace-context/), which decides if it is sampled
   */
  begin(traceparent: string | undefined): { own: TraceContext; parent: TraceContext | undefined } | undefined {
    const parent = parseTraceparent(traceparent);
    if (!parent && Math.random() * this.#oneOf >= 1) return undefined;
    return { own: { traceId: parent?.traceId ?? newId(16), spanId: newId(8) }, parent };
  }

  /** Records a span as a part of another, or the one that was begun. */
  record(span: Span, of: { own?: TraceContext | undefined; parent: TraceContext | undefined }): void {
    const { own, parent } = of;
    if (this.#waiting.length >= MOST_WAITING) return this.#dropped.inc();
    this.#waiting.push({
      traceId: own?.traceId ?? parent!.traceId,
      spanId: own?.spanId ?? newId(8),
      ...(parent ? { parentSpanId: parent.spanId } : {}),
      name: span.name,
      kind: KIND_INTERNAL,
      startTimeUnixNano: nanos(span.startMs),
      endTimeUnixNano: nanos(span.endMs),
      attributes: attributesOf(span.attributes),
      ...(span.error === undefined ? {} : { status: { code: STATUS_ERROR, message: span.error } }),
    });
  }

  /** Sends what waits, for the last time. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#flush();
    await this.#sending;
  }

  #flush(): void {
    const spans = this.#waiting.splice(0);
    if (spans.length > 0) this.#sending = this.#sending.then(() => this.#send(spans));
  }

  async #send(spans: object[]): Promise<void> {
    const resource = { attributes: attributesOf({ 'service.name': this.#service }) };
    const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'spor' }, spans }] }] });
    try {
      const signal = AbortSignal.timeout(ANSWER_MS);
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(this.#url, { method: 'POST', headers, body, signal });
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`the collector answered ${response.status}`);
    } catch (error) {
      this.#dropped.inc(spans.length);
      this.#log.debug({ err: error, spans: spans.length }, 'traces could not be sent');
    }
  }
}

/** Spans that are lost. Only a service with traces has it. */
export function createDroppedSpans(metrics: MetricsRegistry): Counter {
  return new Counter({
    name: 'spor_trace_spans_dropped_total',
    help: 'Spans that the OpenTelemetry collector did not take. Only with OTEL_EXPORTER_OTLP_ENDPOINT.',
    registers: [metrics],
  });
}

/** The text of a context, for the stream message. */
export function formatTraceparent({ traceId, spanId }: TraceContext): string {
  return `00-${traceId}-${spanId}-01`;
}

/** The context of a text that says "sampled"; undefined for any other. */
export function parseTraceparent(text: string | undefined): TraceContext | undefined {
  const [, traceId, spanId] = SAMPLED.exec(text ?? '') ?? [];
  const isValid = traceId !== undefined && spanId !== undefined && !/^0+$/.test(traceId) && !/^0+$/.test(spanId);
  return isValid ? { traceId, spanId } : undefined;
}

function newId(bytes: number): string {
  return randomBytes(bytes).toString('hex');
}

function nanos(ms: number): string {
  return `${Math.round(ms * 1_000)}000`;
}

function attributesOf(values: Record<string, string | number>): object[] {
  return Object.entries(values).map(([key, value]) => ({
    key,
    value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value },
  }));
}
