import { expect, test } from 'vitest';
import { createClock } from '../../src/clock.ts';

test('follows the wall clock', () => {
  let wall = 1000;
  const clock = createClock(() => wall);
  expect(clock()).toBe(1000);
  wall = 1500;
  expect(clock()).toBe(1500);
});

test('goes on at the same pace when the wall clock is set back', () => {
  let wall = 100_000;
  const clock = createClock(() => wall);
  clock();
  wall = 40_000;
  expect(clock()).toBe(100_000);
  wall = 40_250;
  expect(clock()).toBe(100_250);
  wall = 10_000;
  expect(clock()).toBe(100_250);
  wall = 10_001;
  expect(clock()).toBe(100_251);
});

test('follows a wall clock set forward, as after sleep', () => {
  let wall = 1000;
  const clock = createClock(() => wall);
  clock();
  wall = 3_600_000;
  expect(clock()).toBe(3_600_000);
});
