import { EVENT_ERRORS, REQUEST_ERRORS } from '../errors.ts';
import { CORRECTIONS } from '../normalise/correction.ts';
import { codeSchema, FAILURE } from './failures.ts';
import { schemaRef, type OpenApi } from './openApi.ts';

const REJECTED = {
  type: 'array',
  description: 'One verdict for each rejected event.',
  items: schemaRef('Verdict'),
};
const ACCEPTED = {
  type: 'integer',
  format: 'int32',
  description:
    'Number of accepted events. Unless it is a dry run, they are on disk and will be in the lake exactly once.',
};
const ROWS = {
  type: 'array',
  description: 'Only in a dry run: the row of each accepted event.',
  items: schemaRef('EventRow'),
};

const CORRECTED = {
  corrections: {
    type: 'array',
    description: 'The first 100 changes of accepted events and of the batch, made before validation.',
    items: schemaRef('Correction'),
  },
  moreCorrections: { type: 'integer', format: 'int32', description: 'Number of further corrections.' },
};

/** Schemas of the answers of the Event Receiver. */
export const RECEIVER_ANSWERS: Readonly<Record<string, OpenApi>> = {
  Receipt: {
    type: 'object',
    description: 'The answer about a batch of which at least one event is accepted.',
    required: ['accepted', 'rejected'],
    properties: {
      receiptId: {
        type: 'string',
        description: 'Names the batch; keep it to look the batch up later. Absent in a dry run.',
      },
      accepted: ACCEPTED,
      rejected: REJECTED,
      ...CORRECTED,
      quota: {
        type: 'array',
        description: 'The quotas of the tenant that are used to 80 % or more. Absent: none is.',
        items: schemaRef('QuotaUse'),
      },
      rows: ROWS,
    },
  },
  QuotaUse: {
    type: 'object',
    description: 'How much of a quota is used.',
    required: ['per', 'limit', 'used'],
    properties: {
      per: { type: 'string', enum: ['day', 'month'], description: 'The UTC period.' },
      limit: { type: 'integer', format: 'int64', description: 'Accepted events of the period.' },
      used: { type: 'integer', format: 'int64', description: 'Accepted events so far.' },
    },
  },
  [FAILURE]: {
    type: 'object',
    description: 'The answer to a request that failed as a whole.',
    required: ['code', 'message'],
    properties: {
      code: schemaRef('FailureCode'),
      message: {
        type: 'string',
        description: 'The fault and what to change.',
        'x-ms-primary-error-message': true,
      },
      rejected: REJECTED,
      accepted: { ...ACCEPTED, description: 'Only in a dry run: 0.' },
      rows: { ...ROWS, description: 'Only in a dry run: empty.' },
    },
  },
  Verdict: {
    type: 'object',
    description: Object.entries(EVENT_ERRORS)
      .map(([code, help]) => `\`${code}\`: ${help}`)
      .join('\n\n'),
    required: ['index', 'code', 'path', 'message'],
    properties: {
      index: { type: 'integer', format: 'int32', description: "Position in the sender's batch, from 0." },
      eventId: { type: 'string', description: "The event's id, if it had one." },
      code: schemaRef('VerdictCode'),
      path: { type: 'string', description: 'JSON pointer to the fault within the event.' },
      message: { type: 'string', description: 'The faults and how to fix them.' },
      faults: {
        type: 'array',
        description: 'Every fault, if there are several; code and path above are of the first.',
        items: schemaRef('Fault'),
      },
    },
  },
  Fault: {
    type: 'object',
    required: ['code', 'path', 'message'],
    properties: {
      code: schemaRef('VerdictCode'),
      path: { type: 'string', description: 'JSON pointer to the fault within the event.' },
      message: { type: 'string', description: 'The fault and how to fix it.' },
    },
  },
  Correction: {
    type: 'object',
    description: 'One change of an event before validation.',
    required: ['kind', 'path'],
    properties: {
      index: {
        type: 'integer',
        format: 'int32',
        description: "Position in the sender's batch, from 0; absent for the batch itself.",
      },
      kind: {
        ...codeSchema(Object.keys(CORRECTIONS), 'a correction'),
        description: Object.entries(CORRECTIONS)
          .map(([kind, help]) => `\`${kind}\`: ${help}`)
          .join('\n\n'),
      },
      path: { type: 'string', description: 'JSON pointer into the event as it was sent.' },
    },
  },
  FailureCode: codeSchema(Object.keys(REQUEST_ERRORS), 'a failed request'),
  VerdictCode: codeSchema(Object.keys(EVENT_ERRORS), 'a rejected event'),
  EventRow: {
    type: 'object',
    description: 'The row of an event by column; docs/columns.md lists the columns.',
    additionalProperties: true,
  },
  Health: {
    type: 'object',
    required: ['status'],
    properties: { status: { type: 'string', description: '"ok": the process is alive.' } },
  },
  Readiness: {
    type: 'object',
    required: ['status'],
    properties: {
      status: { type: 'string', description: '"ready".' },
      keys: { type: 'integer', format: 'int32', description: 'Number of known keys.' },
      keysStaleSeconds: {
        type: 'integer',
        format: 'int32',
        description: 'How long changes of keys may have been missed.',
      },
      shardsRefused: {
        type: 'array',
        description: 'Shards that take no events now. The receiver is ready while another one does.',
        items: { $ref: '#/components/schemas/RefusedShard' },
      },
    },
  },
  RefusedShard: {
    type: 'object',
    required: ['shard', 'reason'],
    properties: {
      shard: { type: 'integer', format: 'int32' },
      reason: { type: 'string', description: 'Why its stream takes no events.' },
    },
  },
  OpenApiDocument: { type: 'object', description: 'An OpenAPI document.', additionalProperties: true },
};
