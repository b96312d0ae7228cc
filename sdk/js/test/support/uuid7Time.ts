/** When a UUID of version 7 was made, ms since 1970. */
export function timeOfUuid7(id: string): number {
  return parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
