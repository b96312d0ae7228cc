/**
 * The position of a batch in the stream, so that a lookup needs no index.
 * Its text is `<stream epoch>-<shard>-<sequence>-<batch>` in base 36. The epoch is the stream's creation time in milliseconds,
 * so that a receipt of a deleted stream never points into its successor.
 */
export interface Receipt {
  epoch: number;
  shard: number;
  sequence: number;
  /** Index of the batch in the message. */
  batch: number;
}

/** `mgq3x0ab-2-1z-0` */
export function formatReceipt({ epoch, shard, sequence, batch }: Receipt): string {
  return [epoch, shard, sequence, batch].map((part) => part.toString(36)).join('-');
}

/** Parse a receipt; undefined if the text has another form. */
export function parseReceipt(text: string): Receipt | undefined {
  const parts = text.split('-');
  if (parts.length !== 4 || !parts.every((part) => /^[0-9a-z]{1,11}$/.test(part))) return undefined;
  const [epoch, shard, sequence, batch] = parts.map((part) => parseInt(part, 36)) as [number, number, number, number];
  const receipt = { epoch, shard, sequence, batch };
  // A stream counts from 1. Another spelling of a number is not a receipt that Spor has given.
  return sequence >= 1 && parts.join('-') === formatReceipt(receipt) && isSafe(receipt) ? receipt : undefined;
}

function isSafe(receipt: Receipt): boolean {
  return Object.values(receipt).every((part) => Number.isSafeInteger(part));
}

/** Epoch of a stream, from the creation time that JetStream reports. */
export function streamEpoch(created: string | Date): number {
  return new Date(created).getTime();
}
