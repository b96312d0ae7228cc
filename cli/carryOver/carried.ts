import type { JetStreamManager } from '@nats-io/jetstream';
import { nextStored } from '../../stream/nextStored.ts';

/** Header with the sequence that a message had in an earlier stream. */
export const CARRIED_HEADER = 'Spor-Carried';

/** Highest sequence carried into a stream so far; 0: none. Messages of others may have come after it. */
export async function lastCarried(manager: JetStreamManager, name: string): Promise<number> {
  const { state } = await manager.streams.info(name);
  for (let seq = state.last_seq; state.messages > 0 && seq >= state.first_seq; seq--) {
    const stored = await nextStored(manager, name, seq);
    const carried = stored?.header.get(CARRIED_HEADER);
    if (carried) return Number(carried);
  }
  return 0;
}
