import { normalise } from '../../schemas/normalise/normalise.ts';
import { createRegistry } from '../../schemas/registry.ts';

const registry = createRegistry();

/** What must be stored of an event that is accepted. */
export function normalisedEvent(event: Record<string, unknown>): Record<string, unknown> {
  return normalise(event, registry.latest.get(String(event.type))!.schema).event;
}
