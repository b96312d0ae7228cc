/** A part of an OpenAPI document. */
export type OpenApi = Record<string, unknown>;

/** A reference to a named schema of the document. */
export function schemaRef(name: string): OpenApi {
  return { $ref: `#/components/schemas/${name}` };
}

/** The content of a JSON body with a named schema. */
export function jsonContent(schema: string, examples?: OpenApi): OpenApi {
  return { 'application/json': { schema: schemaRef(schema), ...(examples ? { examples } : {}) } };
}
