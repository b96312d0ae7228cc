/** Quoted parts of SQL (PostgreSQL's lexical rules, which DuckDB follows). */
const QUOTED = /(?<![\w$])[eE]'[^'\\]*(?:(?:\\[^]|'')[^'\\]*)*'|'[^']*(?:''[^']*)*'|"[^"]*(?:""[^"]*)*"/y;
const DOLLAR_TAG = /(?<![\w$])\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/y;
const LINE_COMMENT = /--[^\r\n]*/y;
const BETWEEN = /[;\s]/;
/** The end of a part that is not closed. */
const OPEN = -1;

/**
 * A statement without the comments and semicolons around it.
 *
 * So it can stand in brackets, whatever its author wrote after it. Line breaks before it stay, because errors name
 * lines. A text with an open quote or comment comes back as it is: the parser rejects it.
 */
export function statementText(sql: string): string {
  let start: number | undefined;
  let end = 0;
  for (let at = 0; at < sql.length;) {
    const comment = afterComment(sql, at);
    const isBetween = comment === undefined && BETWEEN.test(sql[at]!);
    const next = comment ?? (isBetween ? at + 1 : afterPart(sql, at));
    if (next === OPEN) return sql;
    if (comment === undefined && !isBetween) {
      start ??= at;
      end = next;
    }
    at = next;
  }
  if (start === undefined) return sql;
  return sql.slice(0, start).replaceAll(/[^\r\n]/g, ' ') + sql.slice(start, end);
}

/** End of a comment at a place; undefined if there is none. Block comments may stand in each other. */
function afterComment(sql: string, at: number): number | undefined {
  if (!sql.startsWith('/*', at)) return afterMatch(LINE_COMMENT, sql, at);
  const marks = /\/\*|\*\//g;
  marks.lastIndex = at;
  let depth = 0;
  for (let mark = marks.exec(sql); mark; mark = marks.exec(sql)) {
    depth += mark[0] === '/*' ? 1 : -1;
    if (depth === 0) return marks.lastIndex;
  }
  return OPEN;
}

/** End of a quoted part, or of one character. */
function afterPart(sql: string, at: number): number {
  const quoted = afterMatch(QUOTED, sql, at);
  if (quoted !== undefined) return quoted;
  if (sql[at] === "'" || sql[at] === '"') return OPEN;
  const tagEnd = sql[at] === '$' ? afterMatch(DOLLAR_TAG, sql, at) : undefined;
  if (tagEnd === undefined) return at + 1;
  const tag = sql.slice(at, tagEnd);
  const close = sql.indexOf(tag, tagEnd);
  return close < 0 ? OPEN : close + tag.length;
}

function afterMatch(pattern: RegExp, sql: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(sql) ? pattern.lastIndex : undefined;
}
