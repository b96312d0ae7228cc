/** Durations in milliseconds, in buckets 2 % apart, which bounds the memory. */
export interface Latencies {
  add: (ms: number) => void;
  readonly count: number;
  /** The duration below which a share `q` lies, within 2 %; undefined without durations. */
  quantile: (q: number) => number | undefined;
}

const GROWTH = 1.02;
const SMALLEST_MS = 0.01;
const BUCKETS = 1_024; // up to about 70 days

export function createLatencies(): Latencies {
  const buckets = new Uint32Array(BUCKETS);
  let count = 0;
  return {
    add(ms) {
      const bucket = Math.ceil(Math.log(Math.max(ms, SMALLEST_MS) / SMALLEST_MS) / Math.log(GROWTH));
      buckets[Math.min(bucket, BUCKETS - 1)]!++;
      count++;
    },
    get count() {
      return count;
    },
    quantile(q) {
      if (count === 0) return undefined;
      let left = Math.max(1, Math.ceil(q * count));
      const bucket = buckets.findIndex((held) => (left -= held) <= 0);
      return SMALLEST_MS * GROWTH ** bucket;
    },
  };
}
