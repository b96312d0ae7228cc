import { EVENT_ERRORS, REQUEST_ERRORS, type RequestErrorCode } from '../errors.ts';
import { eventRow } from '../eventRow.ts';
import { LIMITS } from '../limits.ts';
import type { Registry } from '../registry.ts';
import { ANY_EVENT, eventComponents } from './eventComponents.ts';
import { EXAMPLE_TIME, eventExamples } from './examples.ts';
import { failureExamples, failureResponses } from './failures.ts';
import { jsonContent, type OpenApi, schemaRef } from './openApi.ts';
import { RECEIVER_ANSWERS } from './receiverAnswers.ts';

const RECEIPT_ID = 'mgq3x0ab-2-1z-0';
const RECEIPT = 'Receipt';

/** Build the OpenAPI 3.1 document of the Event Receiver, for people and client generators. */
export function receiverDocument(registry: Registry, version: string): OpenApi {
  const examples = eventExamples(registry);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Spor Event Receiver',
      version,
      description: `Send events of shoppers. A 202 means that the accepted events are on disk and will be in the lake exactly once.

Limits: body ${LIMITS.bodyBytes} bytes before and after decompression, ${LIMITS.batchEvents} events a batch, ${LIMITS.eventBytes} bytes an event, at most ${LIMITS.pastDays} days old and ${LIMITS.futureSeconds} seconds ahead.

Send money as a double with at most four decimals. HEAD is answered wherever GET is, without a body. OPTIONS answers 204. Repeated and closing slashes of an address are ignored. Any other address is 404, any other method 405, both as a Failure.`,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths: {
      '/api/events': { post: sendEvents(registry, examples) },
      '/healthz': { get: page('getHealth', 'Tell whether the process is alive', 'Health') },
      '/readyz': {
        get: {
          ...page('getReadiness', 'Tell whether the receiver can take events', 'Readiness'),
          responses: {
            200: { description: 'The receiver takes events.', content: jsonContent('Readiness') },
            ...failuresOf([...PAGE_CODES, 'not_ready']),
          },
        },
      },
      '/metrics': { get: metrics() },
      '/openapi.json': { get: page('getOpenApi', 'Get this document', 'OpenApiDocument') },
    },
    components: {
      securitySchemes: {
        instrumentationKey: {
          type: 'apiKey',
          in: 'header',
          name: 'X-Instrumentation-Key',
          description: 'The instrumentation key. It may stand in the body as instrumentationKey instead.',
        },
        metricsToken: {
          type: 'http',
          scheme: 'bearer',
          description: 'METRICS_TOKEN of the service, if it has one.',
        },
      },
      examples: {
        ...Object.fromEntries(
          Object.entries(examples).map(([type, event]) => [type, { summary: type, value: batchOf([event]) }]),
        ),
        ...failureExamples(REQUEST_ERRORS),
      },
      schemas: {
        Batch: {
          type: 'object',
          description: 'Events of one sender.',
          required: ['events'],
          additionalProperties: false,
          properties: {
            instrumentationKey: { type: 'string', description: 'The key, if it is not in the header.' },
            sentAt: { type: 'string', format: 'date-time', description: "Time of sending, by the sender's clock." },
            events: {
              type: 'array',
              description: 'The events.',
              minItems: 1,
              maxItems: LIMITS.batchEvents,
              items: schemaRef(ANY_EVENT),
            },
          },
        },
        ...eventComponents(registry),
        ...RECEIVER_ANSWERS,
      },
    },
  };
}

function sendEvents(registry: Registry, examples: Record<string, Record<string, unknown>>): OpenApi {
  const { metrics_token_wrong: _metrics, not_ready: _readiness, ...kinds } = REQUEST_ERRORS;
  const batches = Object.fromEntries(
    Object.keys(examples).map((type) => [type, { $ref: `#/components/examples/${type}` }]),
  );
  const content = { schema: schemaRef('Batch'), examples: batches };
  return {
    operationId: 'sendEvents',
    summary: 'Send a batch of events',
    description:
      'Each event has its own verdict, so a rejected event does not affect the others. Content-Encoding may be gzip, deflate, br or zstd. text/plain is read as JSON, so that navigator.sendBeacon needs no preflight.',
    security: [{ instrumentationKey: [] }, {}],
    parameters: [
      {
        name: 'dryRun',
        in: 'query',
        required: false,
        description:
          'true (or 1): answer with the verdicts and the rows, and store nothing. The status is the real one: 400 for a batch without a valid event. false (or 0): store the events. Any other value or spelling is rejected.',
        schema: { type: 'boolean', default: false },
      },
    ],
    requestBody: { required: true, content: { 'application/json': content, 'text/plain': content } },
    responses: {
      202: {
        description: 'At least one event was accepted and is on disk.',
        content: jsonContent(RECEIPT, receiptExamples()),
      },
      200: {
        description: 'Dry run: nothing was stored. The receipt has no id, and has the row of each accepted event.',
        content: jsonContent(RECEIPT, dryRunExamples(registry, examples)),
      },
      ...failureResponses(kinds),
    },
  };
}

/** Failures of addresses that only read. A body whose end is uncertain is refused everywhere. */
const PAGE_CODES = ['body_invalid', 'not_found', 'method_not_allowed'] as const;

function failuresOf(codes: readonly RequestErrorCode[]): Record<string, OpenApi> {
  return failureResponses(Object.fromEntries(codes.map((code) => [code, REQUEST_ERRORS[code]])));
}

function page(operationId: string, summary: string, schema: string): OpenApi {
  const responses = { 200: { description: summary, content: jsonContent(schema) }, ...failuresOf(PAGE_CODES) };
  return { operationId, summary, security: [], responses };
}

function metrics(): OpenApi {
  return {
    operationId: 'getMetrics',
    summary: 'Get metrics in the Prometheus text format',
    security: [{ metricsToken: [] }, {}],
    responses: {
      200: { description: 'The metrics.', content: { 'text/plain': { schema: { type: 'string' } } } },
      ...failuresOf([...PAGE_CODES, 'metrics_token_wrong', 'internal']),
    },
  };
}

function batchOf(events: readonly object[]): object {
  return { sentAt: EXAMPLE_TIME, events };
}

function receiptExamples(): OpenApi {
  const verdict = {
    index: 1,
    eventId: '01936e0a-7c1e-7000-8000-000000000009',
    code: 'field_missing',
    path: '/phrase',
    message: EVENT_ERRORS.field_missing,
  };
  return {
    accepted: { summary: 'All accepted', value: { receiptId: RECEIPT_ID, accepted: 1, rejected: [] } },
    partly: { summary: 'One rejected', value: { receiptId: RECEIPT_ID, accepted: 1, rejected: [verdict] } },
  };
}

function dryRunExamples(registry: Registry, examples: Record<string, Record<string, unknown>>): OpenApi {
  const facts = {
    tenantId: 'demo-shop',
    segmentId: 'web',
    receivedAt: EXAMPLE_TIME,
    sentAt: EXAMPLE_TIME,
    skewMs: 0,
    keyId: '0123456789abcdef',
    keyKind: 'server' as const,
    userAgent: 'curl/8.5.0',
  };
  const [event] = Object.values(examples);
  const rows = [eventRow({ i: 0, v: 1, ...event }, facts, registry)];
  return { dryRun: { summary: 'A dry run', value: { accepted: 1, rejected: [], rows } } };
}
