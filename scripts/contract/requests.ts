import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { LIMITS } from '../../schemas/limits.ts';
import type { ContractDocument, DocumentedOperation } from './document.ts';
import { spoiled, valueOf, type ValueOptions } from './values.ts';

/** A request, as it goes over the wire. */
export interface ContractRequest {
  method: string;
  /** With the query string. */
  path: string;
  headers: Readonly<Record<string, string>>;
  body: Buffer | undefined;
}

/** Headers of one sender or reader, such as one with a revoked key. */
export type CredentialHeaders = Readonly<Record<string, string>>;

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const CODINGS: Readonly<Record<string, (body: Buffer) => Buffer>> = {
  gzip: (body) => gzipSync(body),
  deflate: (body) => deflateSync(body),
  br: (body) => brotliCompressSync(body),
  zstd: (body) => zstdCompressSync(body),
};
const TYPES = [
  'text/plain',
  'text/plain; charset=utf-8',
  'application/json; charset=latin1',
  'text/xml',
  '',
  'a/b/c; ;',
];
const TOO_LARGE = LIMITS.bodyBytes + 1;
/** How much more often a request with a body is made. */
const BODY_WEIGHT = 8;

/** Requests by a document: those that it describes, such ones with something wrong, and others. */
export function requestsOf(
  options: ValueOptions,
  credentials: readonly CredentialHeaders[],
): fc.Arbitrary<ContractRequest> {
  const { document } = options;
  const described = Object.entries(document.paths).flatMap(([template, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      arbitrary: requestOf({ template, method, operation }, options),
      weight: operation.requestBody ? BODY_WEIGHT : 1,
    })),
  );
  const any = fc.oneof(
    { arbitrary: fc.oneof(...described), weight: 12 },
    { arbitrary: elsewhere(document), weight: 1 },
  );
  return fc
    .tuple(any, fc.constantFrom(...credentials))
    .map(([request, own]) => ({ ...request, headers: { ...request.headers, ...own } }));
}

interface Place {
  template: string;
  method: string;
  operation: DocumentedOperation;
}

function requestOf({ template, method, operation }: Place, options: ValueOptions): fc.Arbitrary<ContractRequest> {
  const { parameters = [], requestBody } = operation;
  const named = parameters.filter((one) => one.in === 'path');
  const path = fc
    .tuple(...named.map(({ name, schema }) => fc.tuple(fc.constant(name), pathText(valueOf(schema, options, name)))))
    .map((values) => values.reduce((text, [name, value]) => text.replace(`{${name}}`, value), template));
  const verb = fc.oneof(
    { arbitrary: fc.constant(method.toUpperCase()), weight: 30 },
    { arbitrary: fc.constantFrom(...METHODS), weight: 1 },
  );
  const schema = requestBody?.content['application/json']?.schema;
  const body = schema ? bodyOf(valueOf(schema, options)) : fc.constant({ headers: {}, body: undefined });
  return fc
    .tuple(verb, path, queryOf(operation, options), body)
    .map(([used, pathname, query, { headers, body: bytes }]) => ({
      method: used,
      path: query === '' ? pathname : `${pathname}?${query}`,
      headers,
      body: bytes,
    }));
}

function queryOf({ parameters = [] }: DocumentedOperation, options: ValueOptions): fc.Arbitrary<string> {
  const known = parameters.filter((one) => one.in === 'query');
  const pair = known.map(({ name, schema }) =>
    fc.oneof(
      { arbitrary: valueOf(schema, options, name).map((value) => [name, String(value)] as const), weight: 5 },
      { arbitrary: fc.string({ maxLength: 10 }).map((value) => [name, value] as const), weight: 1 },
    ),
  );
  const unknown = fc.tuple(fc.string({ minLength: 1, maxLength: 10 }), fc.string({ maxLength: 10 }));
  const pairs = fc.array(
    pair.length > 0
      ? fc.oneof({ arbitrary: fc.oneof(...pair), weight: 8 }, { arbitrary: unknown, weight: 1 })
      : unknown,
    {
      maxLength: 2,
      size: 'xsmall',
    },
  );
  return fc.oneof(
    { arbitrary: fc.constant(''), weight: 2 },
    { arbitrary: pairs.map((all) => all.map((one) => one.map(queryText).join('=')).join('&')), weight: 3 },
  );
}

function bodyOf(value: fc.Arbitrary<unknown>): fc.Arbitrary<Pick<ContractRequest, 'headers' | 'body'>> {
  const json = fc.oneof(
    { arbitrary: value, weight: 6 },
    { arbitrary: value.chain(spoiled), weight: 4 },
    { arbitrary: fc.jsonValue(), weight: 1 },
  );
  const bytes = fc.oneof(
    { arbitrary: json.map((one) => Buffer.from(JSON.stringify(one))), weight: 30 },
    { arbitrary: json.map((one) => Buffer.from(JSON.stringify(one)).subarray(1)), weight: 1 },
    { arbitrary: fc.uint8Array({ maxLength: 50 }).map((one) => Buffer.from(one)), weight: 1 },
    { arbitrary: fc.constant(Buffer.alloc(TOO_LARGE, ' ')), weight: 1 },
  );
  const type = fc.oneof(
    { arbitrary: fc.constant('application/json'), weight: 12 },
    { arbitrary: fc.constantFrom(...TYPES), weight: 1 },
  );
  const coding = fc.oneof(
    { arbitrary: fc.constant(undefined), weight: 8 },
    { arbitrary: fc.constantFrom(...Object.keys(CODINGS), 'rot13'), weight: 1 },
  );
  return fc.tuple(bytes, type, coding, fc.nat(9)).map(([body, contentType, named, luck]) => {
    const encode = named === undefined || luck === 0 ? undefined : CODINGS[named];
    return {
      headers: {
        ...(contentType === '' ? {} : { 'content-type': contentType }),
        ...(named === undefined ? {} : { 'content-encoding': named }),
      },
      body: encode ? encode(body) : body,
    };
  });
}

/** Requests to addresses near the documented ones. The pages of the console are no part of a document. */
function elsewhere({ paths }: ContractDocument): fc.Arbitrary<ContractRequest> {
  const near = fc
    .tuple(fc.constantFrom(...Object.keys(paths)), fc.constantFrom('/', 'x', '/..%2f', '//', '%zz', '/events'))
    .map(([path, more]) => `${path.replaceAll(/[{}]/g, '')}${more}`);
  const far = fc.webPath().filter((path) => !/^\/*(console.*)?$/.test(path));
  return fc.tuple(fc.constantFrom(...METHODS), fc.oneof(near, far)).map(([method, path]) => ({
    method,
    path: path.startsWith('/') ? path : `/${path}`,
    headers: {},
    body: undefined,
  }));
}

/** Text as one segment of a path, sometimes empty or encoded wrong. */
function pathText(value: fc.Arbitrary<unknown>): fc.Arbitrary<string> {
  return fc.oneof(
    { arbitrary: value.map((one) => queryText(String(one))), weight: 12 },
    { arbitrary: fc.constantFrom('', '%', '%ff', '..', '%2e%2e'), weight: 1 },
  );
}

function queryText(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}
