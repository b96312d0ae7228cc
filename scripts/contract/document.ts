/** A JSON Schema of a document, as far as requests are made from it. */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  pattern?: string;
  enum?: unknown[];
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  required?: string[];
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: boolean | Schema;
}

export interface Parameter {
  name: string;
  in: 'query' | 'path' | 'header';
  schema: Schema;
}

export interface Response {
  headers?: Record<string, unknown>;
  content?: Record<string, { schema: Schema; examples?: Record<string, unknown> }>;
}

export interface DocumentedOperation {
  operationId: string;
  security: Record<string, unknown>[];
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, Response>;
}

/** An OpenAPI document as our servers answer it. */
export interface ContractDocument {
  paths: Record<string, Record<string, DocumentedOperation>>;
  components: { schemas: Record<string, Schema> };
}

/** The document that a server answers. @throws Error if it answers none */
export async function readDocument(url: string): Promise<ContractDocument> {
  const response = await fetch(new URL('/openapi.json', url));
  if (!response.ok) throw new Error(`${url}/openapi.json answers ${response.status}`);
  return (await response.json()) as ContractDocument;
}

/** The schema that a reference names. */
export function resolved(document: ContractDocument, schema: Schema): Schema {
  const name = schema.$ref?.split('/').at(-1);
  return name === undefined ? schema : document.components.schemas[name]!;
}

/** The operations of the path that matches, by method in small letters; undefined if none does. */
export function operationsOf(
  document: ContractDocument,
  pathname: string,
): Record<string, DocumentedOperation> | undefined {
  const given = pathname.split('/');
  const matches = (template: string): boolean => {
    const wanted = template.split('/');
    const fits = (part: string, index: number): boolean =>
      part.startsWith('{') ? isSegment(given[index]!) : part === given[index];
    return wanted.length === given.length && wanted.every(fits);
  };
  const found = Object.keys(document.paths).find(matches);
  return found === undefined ? undefined : document.paths[found];
}

/** Whether a path parameter can be this text: not empty, and percent-encoded right. */
function isSegment(text: string): boolean {
  try {
    return decodeURIComponent(text) !== '';
  } catch {
    return false;
  }
}
