/** A record of a CSV text: its first line from 1, and its cells. */
export interface CsvRecord {
  line: number;
  cells: string[];
  /** Whether a quote was opened and never closed, or text follows a closing quote. */
  broken: boolean;
}

const SEPARATORS = [',', ';', '\t', '|'];

/** The separator of a file: the sign that is most often in its first line, outside quotes. */
export function separatorOf(firstLine: string): string {
  const bare = firstLine.replaceAll(/"[^"]*"/g, '');
  const counts = SEPARATORS.map((sign) => [sign, bare.split(sign).length] as const);
  return counts.reduce((best, one) => (one[1] > best[1] ? one : best))[0];
}

/**
 * Records of a CSV text (RFC 4180), as it arrives. Blank lines are skipped.
 *
 * A state machine over signs: a cell is plain or quoted; within quotes two quotes are one, and line ends are text.
 */
export async function* csvRecords(chunks: AsyncIterable<string>): AsyncGenerator<CsvRecord> {
  let separator: string | undefined;
  let held = '';
  let line = 1;
  let record: CsvRecord = { line, cells: [], broken: false };
  let cell = '';
  let state: 'start' | 'plain' | 'quoted' | 'closed' = 'start';
  const endCell = (): void => {
    record.cells.push(cell);
    cell = '';
    state = 'start';
  };
  const endRecord = (): CsvRecord | undefined => {
    endCell();
    const done = record;
    record = { line: line + 1, cells: [], broken: false };
    return done.cells.length === 1 && done.cells[0] === '' ? undefined : done;
  };
  const take = function* (text: string): Generator<CsvRecord> {
    for (const sign of text) {
      if (state === 'quoted') {
        if (sign === '"') state = 'closed';
        else cell += sign;
        if (sign === '\n') line++;
      } else if (sign === '"' && state !== 'plain') {
        if (state === 'closed') cell += '"';
        state = 'quoted';
      } else if (sign === separator) endCell();
      else if (sign === '\n') {
        if (state !== 'closed' && cell.endsWith('\r')) cell = cell.slice(0, -1);
        const done = endRecord();
        line++;
        if (done) yield done;
      } else {
        if (state === 'closed') record.broken ||= sign !== '\r';
        else {
          state = 'plain';
          cell += sign;
        }
      }
    }
  };
  for await (const chunk of chunks) {
    if (separator !== undefined) {
      yield* take(chunk);
      continue;
    }
    held += chunk;
    const end = held.indexOf('\n');
    if (end < 0) continue;
    separator = separatorOf(held.slice(0, end));
    yield* take(held);
  }
  separator ??= separatorOf(held);
  if (held !== '' && !held.includes('\n')) yield* take(held);
  record.broken ||= (state as string) === 'quoted';
  if (cell !== '' || record.cells.length > 0 || record.broken) {
    const last = endRecord();
    if (last) yield last;
  }
}
