import { describe, expect, test } from 'vitest';
import { confirmSetBack, type SetBackLook } from '../../stream/incarnation.ts';
import { leaderTerm } from '../../stream/quorum.ts';

const SET_BACK = { created: 'c', known: { sequence: 86 }, lastSequence: 82, at: '2026-11-30T18:49:40Z' };
const by = (leader: string | undefined): SetBackLook => ({ setBack: SET_BACK, leader });

/** Confirms by the given looks, one after the other, the last of them again and again. */
async function confirmed(looks: (SetBackLook | undefined)[]): Promise<unknown> {
  let made = 0;
  let writes = 0;
  const look = (): Promise<SetBackLook | undefined> => Promise.resolve(looks[Math.min(made++, looks.length - 1)]);
  const found = await confirmSetBack(look, () => Promise.resolve(writes++), 0).catch((error: Error) => error.name);
  return { found, made, writes };
}

describe('a stream that lacks what it acknowledged', () => {
  test('on one server is set back when five looks say so, the last after a write', async () => {
    expect(await confirmed([by(undefined)])).toEqual({ found: SET_BACK, made: 5, writes: 1 });
  });

  test('is not set back where a later look finds the message, also the one after the write', async () => {
    expect(await confirmed([by('a'), by('a'), undefined])).toMatchObject({ found: undefined, writes: 0 });
    expect(await confirmed([...Array<SetBackLook>(20).fill(by('a')), undefined])).toEqual({
      found: undefined,
      made: 21,
      writes: 1,
    });
  });

  test('with replicas must be so for one leader throughout, and each election begins anew', async () => {
    const looks = [...Array<SetBackLook>(19).fill(by('a')), by('b')];
    expect(await confirmed(looks)).toEqual({ found: SET_BACK, made: 19 + 20 + 1, writes: 1 });
  });

  test('is nothing to decide on while leaders come and go', async () => {
    const looks = Array.from({ length: 200 }, (_, index) => by(`leader ${index}`));
    expect(await confirmed(looks)).toMatchObject({ found: 'StreamUnavailableError', writes: 0 });
    const lost = [...Array<SetBackLook>(20).fill(by('a')), by('b')];
    expect(await confirmed(lost)).toMatchObject({ found: 'StreamUnavailableError', writes: 1 });
  });
});

test('a leader that reaches no majority decides nothing', () => {
  const replica = (active: number) => ({ name: 'n', current: true, active, lag: 0 });
  const info = (num_replicas: number, ...actives: number[]): Parameters<typeof leaderTerm>[0] =>
    ({
      config: { num_replicas },
      cluster: { leader: 'nats-3', leader_since: 'then', replicas: actives.map(replica) },
    }) as unknown as Parameters<typeof leaderTerm>[0];
  expect(leaderTerm(info(1))).toBeUndefined();
  expect(leaderTerm(info(3, 1e6, 9e9))).toBe('nats-3 since then');
  expect(() => leaderTerm(info(3, 8e9, 9e9))).toThrow('no quorum');
});
