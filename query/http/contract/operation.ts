import type { LakeErrorCode } from '../../../schemas/queryErrors.ts';
import type { OpenApi } from '../../../schemas/openapi/openApi.ts';
import type { Route } from '../route.ts';

/** A parameter of an address as a JSON Schema, with its description. */
export type ParameterSchema = OpenApi & { description: string };

/** An operation as people and generated clients see it. */
export interface OperationText {
  /** Name of the call in generated clients. */
  id: string;
  summary: string;
  description?: string;
  /** Parameters of the query string by name. */
  query?: Readonly<Record<string, ParameterSchema>>;
  /** Parameters of the path by name. */
  path?: Readonly<Record<string, ParameterSchema>>;
  /** `also`: other media types by name. */
  body?: { schema: string; example: unknown; also?: Readonly<Record<string, OpenApi>> };
  answer: AnswerText;
  /** Codes of failures beyond those of every address with this access. */
  codes?: readonly LakeErrorCode[];
}

/** The success answer of an operation. */
export interface AnswerText {
  /** Absent: 200. */
  status?: number;
  summary: string;
  /** Name of the schema of JSON; absent for an answer that is only text. */
  schema?: string;
  example?: unknown;
  /** Media types besides JSON; true: binary. */
  also?: Readonly<Record<string, boolean>>;
}

/**
 * Address and contract of a route: the server routes by it, and the OpenAPI document describes it.
 *
 * A route spreads an operation and adds its handler.
 */
export type Operation<Access extends Route['access'] = Route['access']> = Pick<Route, 'method' | 'path'> & {
  access: Access;
  text: OperationText;
} & (Access extends 'open' ? unknown : { parameters: readonly string[] | 'own' });

/** An operation for anyone. */
export function openOperation(method: Route['method'], path: string, text: OperationText): Operation<'open'> {
  return { method, path, access: 'open', text };
}

/**
 * An operation that needs a token.
 * @param ownChecks the route itself rejects unknown parameters, with a code of its own
 */
export function tokenOperation<Access extends Exclude<Route['access'], 'open'>>(
  access: Access,
  [method, path]: readonly [Route['method'], string],
  text: OperationText,
  { ownChecks = false }: { ownChecks?: boolean } = {},
): Operation<Access> {
  const parameters = ownChecks ? ('own' as const) : Object.keys(text.query ?? {});
  return { method, path, access, text, parameters } as unknown as Operation<Access>;
}
