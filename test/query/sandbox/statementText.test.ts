import { expect, test } from 'vitest';
import { statementText } from '../../../query/sandbox/statementText.ts';

test.each([
  ['select 1; -- c', 'select 1'],
  ['select 1 -- c', 'select 1'],
  ['select 1--', 'select 1'],
  ['select 1 /* a /* b */ ; */ ; ;;\n-- c\n', 'select 1'],
  ['-- a\n; select 1', '    \n  select 1'],
  ["select ';--' -- '", "select ';--'"],
  ["select 'it''s; --' ;", "select 'it''s; --'"],
  ["select e'\\'; --' ; -- y", "select e'\\'; --'"],
  ['select 1 as "a;""--" ; --', 'select 1 as "a;""--"'],
  ['select $$ ; -- $$ ; --', 'select $$ ; -- $$'],
  ['select $x$ $$ ; -- $x$ ; --', 'select $x$ $$ ; -- $x$'],
  ['select a$b$c from t; --', 'select a$b$c from t'],
  ['select 1; select 2;', 'select 1; select 2'],
  ["select 'open ; --", "select 'open ; --"],
  ['select 1 /* open', 'select 1 /* open'],
  ['select $x$ open ; --', 'select $x$ open ; --'],
  ['; ;', '; ;'],
])('%j', (sql, statement) => {
  expect(statementText(sql)).toBe(statement);
});
