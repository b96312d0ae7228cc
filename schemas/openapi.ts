import type { ErrorKind } from './errorKind.ts';
import { EVENT_ERRORS, REQUEST_ERRORS } from './errors.ts';
import { LIMITS } from './limits.ts';
import type { Registry } from './registry.ts';

const VERDICT = {
  type: 'object',
  required: ['index', 'code', 'path', 'message'],
  properties: {
    index: {
      type: ['integer', 'null'],
      description: "Position in the sender's batch, from 0; null for a whole body.",
    },
    eventId: { type: 'string', description: "The event's id, if it had one." },
    code: { type: 'string', description: 'Stable error code.' },
    path: { type: 'string', description: 'JSON pointer to the fault within the event.' },
    message: { type: 'string', description: 'The fault and how to fix it.' },
  },
};

const ACCEPTED = {
  type: 'object',
  required: ['receiptId', 'accepted', 'rejected'],
  properties: {
    receiptId: { type: 'string', description: 'Names the batch; keep it to look the batch up later.' },
    accepted: {
      type: 'integer',
      description: 'Number of events that are on disk and will be in the lake exactly once.',
    },
    rejected: { type: 'array', items: { $ref: '#/components/schemas/Verdict' } },
  },
};

const DRY_RUN = {
  type: 'object',
  required: ['accepted', 'rejected', 'rows'],
  properties: {
    accepted: { type: 'integer' },
    rejected: { type: 'array', items: { $ref: '#/components/schemas/Verdict' } },
    rows: { type: 'array', description: 'The row of each accepted event.', items: { type: 'object' } },
  },
};

const FAILURE = {
  type: 'object',
  required: ['code', 'message'],
  properties: {
    code: { type: 'string', description: 'Stable error code.' },
    message: { type: 'string', description: 'The fault and what to change.' },
    rejected: { type: 'array', items: { $ref: '#/components/schemas/Verdict' } },
  },
};

const RETRY_AFTER = {
  description: 'Seconds to wait before sending the same request again.',
  schema: { type: 'integer' },
};

/** Build the OpenAPI 3.1 document of the Event Receiver. */
export function openApiDocument(registry: Registry, version: string): Record<string, unknown> {
  const latest = [...registry.latest.values()];
  const eventSchemas = Object.fromEntries(latest.map(({ type, schema }) => [type, schema]));
  return {
    openapi: '3.1.0',
    info: {
      title: 'Spor Event Receiver',
      version,
      description: `Send events of shoppers. A 202 means that the accepted events are on disk and will be in the lake exactly once.\n\nLimits: body ${LIMITS.bodyBytes} bytes before and after decompression, ${LIMITS.batchEvents} events a batch, ${LIMITS.eventBytes} bytes an event, at most ${LIMITS.pastDays} days old and ${LIMITS.futureSeconds} seconds ahead.`,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths: {
      '/api/events': {
        post: {
          operationId: 'sendEvents',
          summary: 'Send a batch of events',
          description:
            'Each event has its own verdict, so a rejected event does not affect the others. Content-Encoding may be gzip, deflate, br or zstd. text/plain is read as JSON, so that navigator.sendBeacon needs no preflight.',
          security: [{ instrumentationKey: [] }, {}],
          parameters: [
            {
              name: 'dryRun',
              in: 'query',
              description:
                '1 or true: answer with the verdicts and the rows, and store nothing. The status is the real one: 400 for a batch without a valid event. 0 or false: store the events. Any other value or spelling is rejected.',
              schema: { type: 'string', enum: ['1', 'true', '0', 'false'] },
            },
          ],
          requestBody: {
            required: true,
            content: {
              'application/json': { schema: { $ref: '#/components/schemas/Batch' } },
              'text/plain': { schema: { type: 'string', description: 'The same JSON as text.' } },
            },
          },
          responses: {
            ...Object.fromEntries([...failuresByStatus()].map(([status, codes]) => [status, failure(codes)])),
            202: {
              description: 'At least one event was accepted and is on disk.',
              content: { 'application/json': { schema: { $ref: '#/components/schemas/Accepted' } } },
            },
            200: {
              description: 'Dry run: nothing was stored.',
              content: { 'application/json': { schema: { $ref: '#/components/schemas/DryRun' } } },
            },
          },
        },
      },
      '/healthz': { get: probe('health', 'The process is alive') },
      '/readyz': { get: { ...probe('ready', 'The receiver can take events'), responses: readyResponses() } },
      '/metrics': { get: probe('metrics', 'Metrics in the Prometheus text format', 'text/plain') },
      '/openapi.json': { get: probe('openapi', 'This document') },
    },
    components: {
      securitySchemes: {
        instrumentationKey: {
          type: 'apiKey',
          in: 'header',
          name: 'X-Instrumentation-Key',
          description: 'Or as instrumentationKey in the body.',
        },
      },
      schemas: {
        Batch: {
          type: 'object',
          required: ['events'],
          additionalProperties: false,
          properties: {
            instrumentationKey: { type: 'string' },
            sentAt: {
              type: 'string',
              format: 'date-time',
              description: "Time of sending, by the sender's clock.",
            },
            events: {
              type: 'array',
              minItems: 1,
              maxItems: LIMITS.batchEvents,
              items: { $ref: '#/components/schemas/Event' },
            },
          },
        },
        Event: {
          oneOf: latest.map(({ type }) => ({ $ref: `#/components/schemas/${type}` })),
          discriminator: {
            propertyName: 'type',
            mapping: Object.fromEntries(latest.map(({ type }) => [type, `#/components/schemas/${type}`])),
          },
        },
        ...eventSchemas,
        Accepted: ACCEPTED,
        DryRun: DRY_RUN,
        Failure: FAILURE,
        Verdict: {
          ...VERDICT,
          description: Object.entries(EVENT_ERRORS)
            .map(([code, help]) => `\`${code}\`: ${help}`)
            .join('\n\n'),
        },
      },
    },
  };
}

/** Failures of POST /api/events by status. 404 and 405 belong to other addresses and methods. */
function failuresByStatus(): Map<number, string[]> {
  const byStatus = new Map<number, string[]>();
  for (const [code, kind] of Object.entries<ErrorKind>(REQUEST_ERRORS)) {
    if (kind.status === 404 || kind.status === 405) continue;
    byStatus.set(kind.status, [...(byStatus.get(kind.status) ?? []), `\`${code}\`: ${kind.help}`]);
  }
  return byStatus;
}

function failure(codes: string[]): Record<string, unknown> {
  const retryable = codes.some((line) => line.includes('Retry-After'));
  return {
    description: codes.join('\n\n'),
    ...(retryable ? { headers: { 'Retry-After': RETRY_AFTER } } : {}),
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Failure' } } },
  };
}

function probe(operationId: string, summary: string, type = 'application/json'): Record<string, unknown> {
  return { operationId, summary, responses: { 200: { description: summary, content: { [type]: {} } } } };
}

function readyResponses(): Record<string, unknown> {
  return {
    200: { description: 'The receiver takes events.' },
    503: { description: 'The receiver takes no events; the body has the reason.' },
  };
}
