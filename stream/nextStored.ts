import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';

const NO_MESSAGE = 10037;

/** First message from a sequence on, from the stream's leader; undefined at the end. */
export async function nextStored(manager: JetStreamManager, name: string, seq: number): Promise<StoredMsg | undefined> {
  try {
    const query: { seq: number; next_by_subj: string } = { seq, next_by_subj: '>' };
    return (await manager.streams.getMessage(name, query)) ?? undefined;
  } catch (error) {
    if ((error as { code?: number }).code === NO_MESSAGE) return undefined;
    throw error;
  }
}
