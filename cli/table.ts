import { shownLine } from '../runtime/plainText.ts';

/** Format rows as a text table with aligned columns. */
export function formatTable(names: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const columns = names.map(shownLine);
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

/** Text of a cell, of one line: JSON for lists and structs, empty for null. */
function cellText(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'bigint') return value.toString();
  return shownLine(typeof value === 'string' ? value : JSON.stringify(value));
}

function isNumber(value: unknown): boolean {
  if (typeof value === 'number' || typeof value === 'bigint') return true;
  return value === null || value === undefined || (typeof value === 'string' && /^-?\d+(\.\d+)?\s?%?$/.test(value));
}
