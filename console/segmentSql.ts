/** SQL condition on a segment; the address was checked, so the id needs no quoting. */
export function inSegment(segment: string | undefined): string {
  return segment === undefined ? '' : `AND segment = '${segment}'`;
}
