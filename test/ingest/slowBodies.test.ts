import { expect, test } from 'vitest';
import { SlowBodies, type SlowBody } from '../../ingest/http/slowBodies.ts';

test('a slow body is kept while bytes come, and given up after a pause or after its time', () => {
  let now = 0;
  const bodies = new SlowBodies(() => now);
  const told: string[] = [];
  const open = (name: string): SlowBody => {
    const response = { pause: () => response, resume: () => void told.push(`${name} kept`) };
    const giveUp = (fault: string): void => void told.push(`${name}: ${fault}`);
    const body = { startedMs: now, heardMs: now, response, giveUp } as unknown as SlowBody;
    bodies.add(body);
    return body;
  };
  const look = (seconds: number): string[] => {
    now = seconds * 1_000;
    bodies.look();
    return told.splice(0);
  };
  const steady = open('steady');
  open('silent');
  expect(look(20)).toEqual(['steady kept', 'silent kept']);
  steady.heardMs = now;
  expect(look(31)).toEqual(['steady kept', 'silent: No byte of the body came for 30 s']);
  for (let second = 50; second <= 300; second += 20) {
    steady.heardMs = second * 1_000;
    expect(look(second)).toEqual(['steady kept']);
  }
  steady.heardMs = 300_000;
  expect(look(301)).toEqual(['steady: The body was not whole after 300 s']);
  expect(look(400)).toEqual([]);
  const whole = open('whole');
  bodies.delete(whole);
  expect(look(500)).toEqual([]);
});
