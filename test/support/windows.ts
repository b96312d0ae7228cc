import type { StreamMessage } from '../../stream/message.ts';
import { Window, type WindowLimits } from '../../lake/window/window.ts';
import { shardOf } from '../../schemas/subjects.ts';
import { messageOf, SHARDS, type TestPost } from './messages.ts';

const ROOMY: WindowLimits = { bytes: 1e9, messages: 1e9, ageMs: 1_000 };

/** An empty window for messages of the tenant `shop`. */
export function shopWindow(dir: string, limits = ROOMY): Window {
  return new Window({ dir, place: { shard: shardOf('shop', SHARDS), shards: SHARDS }, epoch: 1_700_000_000, limits });
}

/** A message of the tenant `shop` as it comes from the stream. */
export function shopMessage(
  posts: TestPost[],
  { sequence, timeMs = 1_700_000_000_000, segment = 'web' }: { sequence: number; timeMs?: number; segment?: string },
): StreamMessage {
  const { subject, payload } = messageOf('shop', segment, posts);
  return { subject, sequence, timeMs, data: new Uint8Array(payload), format: '1' };
}

export const NOTHING_STORED = { events: 0, quarantine: 0 };
