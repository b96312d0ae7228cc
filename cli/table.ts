/** Format rows as a text table with aligned columns. */
export function formatTable(columns: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const cells = rows.map((row) => row.map(cellText));
  const widths = columns.map((name, index) => Math.max(name.length, ...cells.map((row) => row[index]!.length)));
  const rightward = columns.map((_, index) => rows.length > 0 && rows.every((row) => isNumber(row[index])));
  const line = (values: readonly string[]): string =>
    values
      .map((value, index) => (rightward[index] ? value.padStart(widths[index]!) : value.padEnd(widths[index]!)))
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '─'.repeat(width)).join('  ');
  return `${[line(columns), rule, ...cells.map(line)].join('\n')}\n`;
}

/** Text of a cell: JSON for lists and structs, empty for null. */
function cellText(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') return value;
  return typeof value === 'bigint' ? value.toString() : JSON.stringify(value);
}

function isNumber(value: unknown): boolean {
  if (typeof value === 'number' || typeof value === 'bigint') return true;
  return value === null || value === undefined || (typeof value === 'string' && /^-?\d+(\.\d+)?\s?%?$/.test(value));
}
