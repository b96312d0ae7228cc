import { expect, test } from 'vitest';
import { parseFailPoint } from '../../runtime/failpoint.ts';

const POINTS = ['before-upload', 'after-upload'] as const;

test.each([
  ['after-upload', { point: 'after-upload', count: 1, signal: 'SIGKILL' }],
  ['after-upload:3', { point: 'after-upload', count: 3, signal: 'SIGKILL' }],
  ['after-upload:3:stop', { point: 'after-upload', count: 3, signal: 'SIGSTOP' }],
  ['after-upload:stop', { point: 'after-upload', count: 1, signal: 'SIGSTOP' }],
  ['after-upload:0', undefined],
  ['after-upload:stop:3', undefined],
  ['elsewhere', undefined],
])('%s', (text, expected) => {
  expect(parseFailPoint(POINTS, text, { stop: true })).toEqual(expected);
});

test('without the option, none stops', () => {
  expect(parseFailPoint(POINTS, 'after-upload:2')).toMatchObject({ count: 2, signal: 'SIGKILL' });
  expect(parseFailPoint(POINTS, 'after-upload:stop')).toBeUndefined();
  expect(parseFailPoint(POINTS, 'after-upload:3:stop')).toBeUndefined();
});
