import { describe, expect, it } from 'vitest';
import { createAnswerJudge } from '../../../scripts/contract/judgeAnswer.ts';
import type { ContractDocument } from '../../../scripts/contract/document.ts';
import { queryDocument } from '../../../query/http/contract/document.ts';
import { OPERATIONS } from '../../../query/http/contract/operations.ts';
import { receiverDocument } from '../../../schemas/openapi/receiver.ts';
import { createRegistry } from '../../../schemas/registry.ts';

const asDocument = (document: unknown): ContractDocument => JSON.parse(JSON.stringify(document)) as ContractDocument;
const receiver = createAnswerJudge(asDocument(receiverDocument(createRegistry(), '1')));
const query = createAnswerJudge(asDocument(queryDocument(OPERATIONS, '1')));
const JSON_HEADERS = { 'content-type': 'application/json' };
const POST = { method: 'POST', path: '/api/events', headers: {}, body: undefined };

const answer = (status: number, body: unknown, headers: Record<string, string> = JSON_HEADERS) => ({
  status,
  headers,
  body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
});
const receipt = { receiptId: 'r', accepted: 1, rejected: [] };
const failure = (code: string): object => ({ code, message: 'no' });

describe('an answer', () => {
  it('within its document has no fault', () => {
    expect(receiver(POST, answer(202, receipt))).toBeUndefined();
    expect(receiver(POST, answer(401, failure('key_missing')))).toBeUndefined();
    expect(
      receiver(
        { ...POST, path: '/healthz' },
        answer(405, failure('method_not_allowed'), { ...JSON_HEADERS, allow: 'GET' }),
      ),
    ).toBeUndefined();
    expect(receiver({ ...POST, path: '/nowhere' }, answer(404, failure('not_found')))).toBeUndefined();
    expect(
      query({ ...POST, method: 'GET', path: '/api/receipts/x' }, answer(404, failure('receipt_unknown'))),
    ).toBeUndefined();
  });

  it.each([
    ['an unknown status', answer(418, failure('key_missing')), '418 is not documented'],
    ['a code of another status', answer(401, failure('body_invalid')), 'has the code body_invalid'],
    ['an unknown code', answer(401, failure('nonsense')), 'does not fit'],
    ['a missing field', answer(202, { receiptId: 'r', accepted: 1 }), 'does not fit'],
    ['a field of another type', answer(202, { ...receipt, accepted: '1' }), 'does not fit'],
    ['no JSON', answer(202, '<html>'), 'has no JSON'],
    ['another content type', answer(202, receipt, { 'content-type': 'text/html' }), 'content type "text/html"'],
    ['an odd Retry-After', answer(202, receipt, { ...JSON_HEADERS, 'retry-after': 'soon' }), 'Retry-After'],
  ])('with %s has one', (_name, given, fault) => {
    expect(receiver(POST, given)).toContain(fault);
  });

  it('to HEAD, another method or another address is judged too', () => {
    expect(receiver({ ...POST, method: 'HEAD', path: '/healthz' }, answer(200, '{}'))).toContain('body');
    expect(receiver({ ...POST, path: '/healthz' }, answer(200, { status: 'ok' }))).toContain('without Allow');
    expect(receiver({ ...POST, path: '/nowhere' }, answer(200, {}))).toContain('instead of 404');
    expect(query({ ...POST, method: 'GET', path: '/api/receipts/' }, answer(200, {}))).toContain('instead of 404');
  });
});
