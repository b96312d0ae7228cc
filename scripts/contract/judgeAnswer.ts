import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import {
  operationsOf,
  type ContractDocument,
  type DocumentedOperation,
  type Response,
  type Schema,
} from './document.ts';
import { plainPath } from '../../runtime/plainPath.ts';
import type { ContractAnswer } from './exchange.ts';
import type { ContractRequest } from './requests.ts';

/** Tells what an answer has that its document does not say; undefined if nothing. */
export type AnswerJudge = (request: ContractRequest, answer: ContractAnswer) => string | undefined;

const FAILURE: Schema = { $ref: '#/components/schemas/Failure' };

/** A judge of the answers of one server. */
export function createAnswerJudge(document: ContractDocument): AnswerJudge {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema(document, 'document');
  const compiled = new Map<string, ValidateFunction>();
  const schemaFault = (schema: Schema, value: unknown): string | undefined => {
    const text = JSON.stringify(schema).replaceAll('"#/', '"document#/');
    const validate = compiled.get(text) ?? ajv.compile(JSON.parse(text) as Schema);
    compiled.set(text, validate);
    return validate(value) ? undefined : ajv.errorsText(validate.errors);
  };

  const contentFault = (answer: ContractAnswer, response: Response): string | undefined => {
    const type = String(answer.headers['content-type'] ?? '')
      .split(';')[0]!
      .trim();
    const content = response.content?.[type];
    if (!content) return `${answer.status} has the content type "${type}"`;
    if (type !== 'application/json') return undefined;
    const value = parsed(answer.body);
    if (value === undefined) return `${answer.status} has no JSON`;
    const fault = schemaFault(content.schema, value);
    if (fault !== undefined) return `${answer.status} does not fit its schema: ${fault}`;
    const { code } = value as { code?: string };
    const isFailure = content.schema.$ref === FAILURE.$ref;
    return isFailure && !(code! in (content.examples ?? {})) ? `${answer.status} has the code ${code}` : undefined;
  };

  const refusalFault = (answer: ContractAnswer, status: number, code: string): string | undefined => {
    if (answer.status !== status) return `${answer.status} instead of ${status}`;
    const value = parsed(answer.body) as { code?: string } | undefined;
    const fault = schemaFault(FAILURE, value);
    return fault ?? (value?.code === code ? undefined : `${status} has the code ${value?.code}`);
  };

  return ({ method, path }, answer) => {
    const retryAfter = answer.headers['retry-after'];
    if (retryAfter !== undefined && !/^\d+$/.test(String(retryAfter))) return `Retry-After is ${String(retryAfter)}`;
    const pathname = path.split('?')[0]!;
    const operations = operationsOf(document, pathname) ?? operationsOf(document, plainPath(pathname));
    const isHead = method === 'HEAD';
    if (isHead && answer.body.length > 0) return 'HEAD has a body';
    const operation = operations?.[isHead ? 'get' : method.toLowerCase()];
    if (operation) return answerFault(operation, answer, isHead ? () => undefined : contentFault);
    if (method === 'OPTIONS' && answer.status === 204) return undefined;
    if (operations && answer.headers.allow === undefined) return `${answer.status} without Allow`;
    const [status, code] = operations ? ([405, 'method_not_allowed'] as const) : ([404, 'not_found'] as const);
    if (isHead) return answer.status === status ? undefined : `HEAD has ${answer.status} instead of ${status}`;
    return refusalFault(answer, status, code);
  };
}

function answerFault(
  { responses }: DocumentedOperation,
  answer: ContractAnswer,
  contentFault: (answer: ContractAnswer, response: Response) => string | undefined,
): string | undefined {
  const response = responses[answer.status];
  return response ? contentFault(answer, response) : `${answer.status} is not documented`;
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}
