import { codeSchema, FAILURE, failureExamples, failureResponses } from '../../../schemas/openapi/failures.ts';
import { jsonContent, schemaRef, type OpenApi } from '../../../schemas/openapi/openApi.ts';
import { LAKE_ERRORS } from '../../../schemas/queryErrors.ts';
import { ANSWER_SCHEMAS } from './answers.ts';
import { ACCESS_SCHEMAS } from './accessSchemas.ts';
import { ACCOUNT_SCHEMAS } from './accountSchemas.ts';
import { CATALOGUE_SCHEMAS } from './catalogueSchemas.ts';
import { failuresOf } from './codes.ts';
import type { AnswerText, Operation } from './operation.ts';

const TENANT_HEADER = {
  name: 'X-Spor-Tenant',
  in: 'header',
  required: false,
  description: 'The tenant to read, with an operator token. Needless with the token of a tenant.',
  schema: { type: 'string' },
};

/** Build the OpenAPI 3.1 document of a query server from the operations of its routes. */
export function queryDocument(operations: readonly Operation[], version: string): OpenApi {
  const paths: Record<string, OpenApi> = {};
  for (const operation of operations) {
    const path = operation.path.replaceAll(/:([A-Za-z]+)/g, '{$1}');
    paths[path] = { ...paths[path], [operation.method.toLowerCase()]: operationObject(operation) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Spor query server',
      version,
      description: `Read events of a tenant: SQL, reports, receipts, completeness, changed files, live events, keys and tokens.

HEAD is answered wherever GET is, without a body. OPTIONS answers 204. Repeated and closing slashes of an address are ignored. Any other address is 404, any other method 405, both as a Failure. The pages below /console/ are for people.`,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'A read token (rt_…) or an operator token (ot_…).' },
        serverKey: {
          type: 'apiKey',
          in: 'header',
          name: 'X-Instrumentation-Key',
          description: 'A server key (ik_…), whose tenant and segment the request is about.',
        },
        metricsToken: {
          type: 'http',
          scheme: 'bearer',
          description: 'METRICS_TOKEN of the service, if it has one.',
        },
      },
      examples: failureExamples(LAKE_ERRORS),
      schemas: {
        ...ANSWER_SCHEMAS,
        ...ACCESS_SCHEMAS,
        ...ACCOUNT_SCHEMAS,
        ...CATALOGUE_SCHEMAS,
        [FAILURE]: {
          type: 'object',
          description: 'The answer to a request that failed.',
          required: ['code', 'message'],
          properties: {
            code: schemaRef('FailureCode'),
            message: {
              type: 'string',
              description: 'The fault and what to change.',
              'x-ms-primary-error-message': true,
            },
          },
        },
        FailureCode: codeSchema(Object.keys(LAKE_ERRORS), 'a failed request'),
      },
    },
  };
}

function operationObject(operation: Operation): OpenApi {
  const { access, path, text } = operation;
  const { id, summary, description, query = {}, body, answer } = text;
  const named = [...path.matchAll(/:([A-Za-z]+)/g)].map(([, name]) => name!);
  const parameters = [
    ...named.map((name) => ({ ...parameter(name, 'path', text.path![name]!), required: true })),
    ...Object.entries(query).map(([name, schema]) => parameter(name, 'query', schema)),
    ...(access === 'reader' ? [TENANT_HEADER] : []),
  ];
  return {
    operationId: id,
    summary,
    ...(description === undefined ? {} : { description }),
    security: securityOf(operation),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body
      ? {
          requestBody: {
            required: true,
            content: { ...jsonContent(body.schema, { body: { value: body.example } }), ...body.also },
          },
        }
      : {}),
    responses: {
      [answer.status ?? 200]: response(answer),
      ...failureResponses(failuresOf(operation)),
    },
  };
}

function securityOf({ access, path }: Operation): OpenApi[] {
  if (access === 'key') return [{ serverKey: [] }];
  if (access !== 'open') return [{ token: [] }];
  return path === '/metrics' ? [{ metricsToken: [] }, {}] : [];
}

function parameter(name: string, place: 'path' | 'query', { description, ...schema }: OpenApi): OpenApi {
  return { name, in: place, required: false, description, schema };
}

function response({ summary, schema, example, also = {} }: AnswerText): OpenApi {
  const examples = example === undefined ? undefined : { answer: { value: example } };
  const others = Object.entries(also).map(([type, binary]) => [
    type,
    { schema: { type: 'string', ...(binary ? { format: 'binary' } : {}) } },
  ]);
  return {
    description: summary,
    content: { ...(schema === undefined ? {} : jsonContent(schema, examples)), ...Object.fromEntries(others) },
  };
}
