export type DocumentNode = Record<string, unknown>;

/** Every object within a document with its path; examples and defaults are data, and left out. */
export function* documentNodes(value: unknown, path = ''): Generator<[string, DocumentNode]> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield [path, value as DocumentNode];
  for (const [name, child] of Object.entries(value)) {
    if (name === 'example' || name === 'examples' || name === 'default') continue;
    yield* documentNodes(child, `${path}/${name}`);
  }
}

/** Paths of the objects with a word that client generators misread; a list of types may only add null. */
export function oddWords(document: unknown): string[] {
  const words = ['anyOf', 'allOf', 'oneOf', 'const', 'multipleOf', 'exclusiveMinimum', 'nullable'];
  const isOdd = ({ type, ...node }: DocumentNode): boolean =>
    words.some((word) => word in node) || (Array.isArray(type) && !(type.length === 2 && type[1] === 'null'));
  return [...documentNodes(document)].filter(([, node]) => isOdd(node)).map(([path]) => path);
}
