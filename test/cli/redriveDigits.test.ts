import { expect, test } from 'vitest';
import { judgeAgain } from '../../cli/redrive/candidates.ts';
import type { QuarantinedRow } from '../../cli/redrive/rows.ts';
import { Judge } from '../../ingest/events/judge.ts';
import { createRegistry } from '../../schemas/registry.ts';

const ID = '0192aaaa-0000-7000-8000-00000000000f';
const TIME = '2026-11-23T10:00:00.000Z';

function redriven(raw: string): ReturnType<typeof judgeAgain> {
  const row = {
    receiptId: 'r-0-1-0',
    index: 0,
    receivedAt: TIME,
    sentAt: null,
    code: 'field_unknown',
    raw,
    fixed: null,
  };
  const options = { judge: new Judge(createRegistry()), fix: undefined, acceptOld: false, newIds: false };
  return judgeAgain(row as unknown as QuarantinedRow, options);
}

test('redrive keeps each digit of a number, and corrects what the receiver corrects', () => {
  const fields = `"eventId":"${ID}","type":"Search","timestamp":"${TIME}","sessionId":"s","phrase":"shoe","userId":null`;
  const { candidates, kept } = redriven(`{${fields},"properties":{"order":9007199254740993}}`);
  expect(kept).toEqual([]);
  expect(candidates[0]!.lineEnd).toContain('"properties":{"order":9007199254740993}');
  expect(candidates[0]!.lineEnd).toContain('"c":[{"kind":"empty","path":"/userId"}]');
  expect(redriven(`{${fields},"properties":{"x":1e400}}`).kept).toMatchObject([{ code: 'number_invalid' }]);
});
