/**
 * Write a value as JSON, as in a page that has not touched its built-ins.
 *
 * Pages add `toJSON` to arrays and to all objects, and it does not count here. A value's own does, such as that of a date.
 * @throws for circular values and big integers.
 */
export function toJson(value: unknown): string {
  return JSON.stringify(value, function (this: Record<string, Partial<Date> | undefined>, name, written: unknown) {
    const field = this[name];
    return Array.isArray(field) || field?.toJSON === (Object.prototype as Partial<Date>).toJSON ? field : written;
  });
}
