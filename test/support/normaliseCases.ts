import { readdirSync, readFileSync } from 'node:fs';

/** A case of sdk/conformance/normalise, whose README explains the fields. */
export interface NormaliseCase {
  name: string;
  event: Record<string, unknown> & { type: string };
  stored?: Record<string, unknown>;
  corrections?: [kind: string, path: string][];
  faults?: [code: string, path: string][];
}

const FOLDER = new URL('../../sdk/conformance/normalise/', import.meta.url);

/** Every case, with its repetitions written out. */
export function normaliseCases(): NormaliseCase[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => writtenOut(JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8'))) as NormaliseCase[]);
}

/** The fields of a case's event as they must be stored. */
export function storedFields({ event, stored }: NormaliseCase): Record<string, unknown> {
  return Object.fromEntries(Object.entries({ ...event, ...stored }).filter(([, value]) => value !== null));
}

function writtenOut(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(writtenOut);
  if (typeof value !== 'object' || value === null) return value;
  const { $repeat: part, times } = value as { $repeat?: string | unknown[]; times?: number };
  if (typeof part === 'string') return part.repeat(times!);
  if (part !== undefined) return Array.from({ length: times! }, () => part[0]);
  return Object.fromEntries(Object.entries(value).map(([name, child]) => [name, writtenOut(child)]));
}
