import type { JsonSchema } from '../../schemas/registry.ts';

type Fields = Record<string, unknown>;

/** Name of a field with a free object, or of a list and the field of its elements. */
export type FreePlace = readonly [field: string, child?: string];

/** A free object of an event, with its JSON pointer. */
export interface FreeObject {
  value: unknown;
  path: string;
}

/** Places of free objects in an event type: "properties", and that of each line. */
export function freePlaces({ properties = {} }: JsonSchema): FreePlace[] {
  return Object.entries(properties).flatMap(([field, schema]): FreePlace[] =>
    isFree(schema)
      ? [[field]]
      : Object.entries(schema.items?.properties ?? {})
          .filter(([, child]) => isFree(child))
          .map(([child]) => [field, child]),
  );
}

function isFree({ type, properties }: JsonSchema): boolean {
  return type === 'object' && properties === undefined;
}

/** The free objects that an event has. Lists of another form have none. */
export function freeObjects(event: object, places: readonly FreePlace[]): FreeObject[] {
  const found: FreeObject[] = [];
  for (const [field, child] of places) {
    const value = (event as Fields)[field];
    if (value === undefined) continue;
    if (child === undefined) found.push({ value, path: `/${field}` });
    else if (Array.isArray(value))
      for (let index = 0; index < value.length; index++) {
        const own = (value[index] as Fields | null | undefined)?.[child];
        if (own !== undefined) found.push({ value: own, path: `/${field}/${index}/${child}` });
      }
  }
  return found;
}

/** An event with the free objects of another parse of the same text. */
export function withFreeObjectsOf(event: object, other: object, places: readonly FreePlace[]): object {
  const copy: Fields = { ...event };
  for (const [field, child] of places) {
    const value = (other as Fields)[field];
    if (value === undefined) continue;
    copy[field] =
      child === undefined
        ? value
        : (copy[field] as Fields[]).map((element, index) =>
            element[child] === undefined ? element : { ...element, [child]: (value as Fields[])[index]![child] },
          );
  }
  return copy;
}
