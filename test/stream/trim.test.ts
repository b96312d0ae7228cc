import { expect, test } from 'vitest';
import { planTrim, type TrimState } from '../../stream/trim.ts';

const state = (over: Partial<TrimState>): TrimState => ({
  firstSequence: 101,
  lastSequence: 200,
  bytes: 1_000,
  maxBytes: 10_000,
  floor: 200,
  firstYoung: undefined,
  ...over,
});

test('a stream with room and nothing old is left alone', () => {
  expect(planTrim(state({}))).toBeUndefined();
  expect(planTrim(state({ bytes: 8_000 }))).toBeUndefined();
});

test('a stream above its high water gives up its oldest messages down to its low water', () => {
  expect(planTrim(state({ bytes: 9_000 }))).toBe(101 + Math.ceil((2_000 / 9_000) * 100));
});

test('old messages go whatever the room', () => {
  expect(planTrim(state({ firstYoung: 151 }))).toBe(151);
  expect(planTrim(state({ firstYoung: 201 }))).toBe(201);
});

test('what is not committed never goes, however full or old', () => {
  expect(planTrim(state({ bytes: 10_000, firstYoung: 201, floor: 120 }))).toBe(121);
  expect(planTrim(state({ bytes: 10_000, firstYoung: 201, floor: 101 }))).toBe(102);
  expect(planTrim(state({ bytes: 10_000, firstYoung: 201, floor: 100 }))).toBeUndefined();
  expect(planTrim(state({ bytes: 10_000, firstYoung: 201, floor: 0 }))).toBeUndefined();
});

test('an empty stream and one without a limit are left alone', () => {
  expect(planTrim(state({ firstSequence: 201, lastSequence: 200, bytes: 0 }))).toBeUndefined();
  expect(planTrim(state({ maxBytes: -1, bytes: 1e9 }))).toBeUndefined();
});
