import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Judge } from '../../ingest/events/judge.ts';
import { createRegistry, isServerOnly } from '../../schemas/registry.ts';
import { normaliseCases, storedFields, type NormaliseCase } from '../support/normaliseCases.ts';
import { anEvent } from './receiver.ts';

const judge = new Judge(createRegistry());
const NOW = Date.parse('2026-11-23T10:00:00.000Z');
const CASES = normaliseCases();

const common = (): Record<string, unknown> => {
  const { eventId, sessionId } = anEvent();
  return { eventId, sessionId, timestamp: '2026-11-23T09:59:59.900Z' };
};

/** The verdict on an event: what is stored of it and its corrections, or its faults. */
function verdict(event: object): { stored?: Record<string, unknown>; corrections: string[]; faults: string[] } {
  const batch = { events: [event], receivedAtMs: NOW, skewMs: 0, keyKind: 'server' as const };
  const { lineEnds, rejected, corrected } = judge.judge(batch);
  const faults = rejected.flatMap(({ faults = [] }) => faults.map(({ code, path }) => `${code} ${path}`));
  const corrections = corrected.map(({ kind, path }) => `${kind} ${path}`);
  if (lineEnds.length === 0) return { corrections, faults };
  const { b: _b, i: _i, v: _v, c, ...stored } = JSON.parse(`{"b":0${lineEnds[0]}`) as Record<string, unknown>;
  expect(c ?? []).toEqual(corrected.map(({ kind, path }) => ({ kind, path })));
  return { stored, corrections, faults };
}

const pairs = (list: [string, string][] = []): string[] => list.map((pair) => pair.join(' ')).sort();

describe('a case of normalising', () => {
  it.each(CASES.map((one): [string, NormaliseCase] => [one.name, one]))('%s', (_name, one) => {
    const given = { ...common(), ...one.event };
    const { stored, corrections, faults } = verdict(given);
    expect(faults.sort()).toEqual(pairs(one.faults));
    if (one.faults) return;
    expect(corrections.sort()).toEqual(pairs(one.corrections));
    expect(stored).toEqual(storedFields({ ...one, event: given as NormaliseCase['event'] }));
  });

  it('is there for every rule', () => {
    expect(CASES.length).toBeGreaterThan(35);
    expect(new Set(CASES.flatMap(({ corrections = [] }) => corrections.map(([kind]) => kind)))).toEqual(
      new Set(['empty', 'retyped', 'respelled', 'rounded', 'shortened', 'repaired', 'left_out']),
    );
  });
});

describe('normalising', () => {
  const registry = createRegistry();
  const fields = CASES.flatMap(({ event }) => Object.entries(event));
  const names = fields.map(([name]) => name);
  const anything = fc.oneof(fc.constantFrom(...fields.map(([, value]) => value)), fc.jsonValue({ maxDepth: 2 }));
  const anyType = fc.constantFrom(...[...registry.latest.values()].filter((type) => !isServerOnly(type)));
  const anyEvent = fc
    .tuple(anyType, fc.dictionary(fc.constantFrom(...names), anything, { maxKeys: 4 }))
    .map(([{ type, schema }, given]): object => {
      const known = Object.entries(given).filter(([name]) => name in schema.properties);
      return { ...anEvent(type as 'Search', common()), ...Object.fromEntries(known), type };
    });

  it('leaves alone what it has made: a stored event is valid as it is', () => {
    let kept = 0;
    fc.assert(
      fc.property(anyEvent, (event) => {
        const { stored } = verdict(event);
        if (!stored) return;
        kept++;
        expect(verdict(stored)).toEqual({ stored, corrections: [], faults: [] });
      }),
      { numRuns: 400 },
    );
    expect(kept).toBeGreaterThan(20);
  });

  it('never refuses an event for an optional field of its type', () => {
    fc.assert(
      fc.property(anyType, fc.nat(), anything, ({ type, schema }, at, value) => {
        const required = ['sessionId', 'properties', ...schema.required!];
        const optional = Object.keys(schema.properties).filter((name) => !required.includes(name));
        const name = optional[at % optional.length]!;
        const { faults } = verdict({ ...anEvent(type as 'Search', common()), [name]: value });
        expect(faults.filter((fault) => !fault.startsWith('field_unknown'))).toEqual([]);
      }),
      { numRuns: 400 },
    );
  });
});
