import { numberOf } from './format.ts';

export type Direction = 'ascending' | 'descending';

/** Rows by a value of theirs: numbers by size, texts by the viewer's alphabet, nothing last. */
export function sortedRows<Row>(
  rows: readonly Row[],
  value: (row: Row) => unknown,
  direction: Direction,
): readonly Row[] {
  const sign = direction === 'ascending' ? 1 : -1;
  const known = (row: Row): boolean => value(row) !== null && value(row) !== undefined && value(row) !== '';
  return rows.toSorted((a, b) => {
    if (!known(a) || !known(b)) return Number(known(b)) - Number(known(a));
    return sign * compare(value(a), value(b));
  });
}

function compare(a: unknown, b: unknown): number {
  const [left, right] = [numberOf(a), numberOf(b)];
  if (left !== undefined && right !== undefined) return left - right;
  return String(a as string).localeCompare(String(b as string), undefined, { numeric: true });
}

/** Rows of which a value contains the text, whatever its case. */
export function foundRows<Row>(
  rows: readonly Row[],
  values: readonly ((row: Row) => unknown)[],
  text: string,
): readonly Row[] {
  const wanted = text.trim().toLocaleLowerCase();
  if (wanted === '') return rows;
  return rows.filter((row) =>
    values.some((value) =>
      String((value(row) ?? '') as string)
        .toLocaleLowerCase()
        .includes(wanted),
    ),
  );
}
