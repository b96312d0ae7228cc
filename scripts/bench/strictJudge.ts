import type { ValidateFunction } from 'ajv';
import { sizeFault, timeFault } from '../../ingest/events/bounds.ts';
import { contentFault } from '../../ingest/events/content.ts';
import { Judge, type BatchToJudge, type Judgement } from '../../ingest/events/judge.ts';
import { createAjv } from '../../ingest/events/keywords.ts';
import { LIMITS } from '../../schemas/limits.ts';
import type { Registry } from '../../schemas/registry.ts';

/**
 * The receiver's judge as it would be without normalising: it validates and serialises, and throws at any fault.
 *
 * It keeps no digits that doubles lose, and looks for unstorable text only where JSON shows some.
 */
export class StrictJudge extends Judge {
  readonly #types: Map<string, { version: number; validate: ValidateFunction }>;

  constructor(registry: Registry) {
    super(registry);
    const ajv = createAjv(false);
    this.#types = new Map(
      [...registry.latest].map(([type, { version, schema }]) => [type, { version, validate: ajv.compile(schema) }]),
    );
  }

  override judge(batch: BatchToJudge): Judgement {
    const lineEnds = (batch.events as Record<string, unknown>[]).map((event, index) => {
      const { version, validate } = this.#types.get(String(event.type))!;
      const json = validate(event) ? JSON.stringify(event) : '';
      const faulty = json === '' || (json.includes('\\u') && contentFault(event, LIMITS.propertiesDepth) !== undefined);
      if (faulty || sizeFault(json) || timeFault(event.timestamp, batch))
        throw new Error('an event of the bench is invalid');
      return `,"i":${index},"v":${version},${json.slice(1)}\n`;
    });
    return { lineEnds, rejected: [], corrected: [] };
  }
}
