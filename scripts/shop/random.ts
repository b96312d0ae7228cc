/** A reproducible random generator: a seed gives the same numbers on every machine. */
export interface Random {
  /** 32 random bits as an unsigned integer. */
  bits: () => number;
  /** Uniform in [0, 1). */
  next: () => number;
  /** Uniform whole number in [min, max]. */
  between: (min: number, max: number) => number;
  chance: (probability: number) => boolean;
  pick: <T>(items: readonly T[]) => T;
  /** Exponentially distributed with the given mean. */
  exponential: (mean: number) => number;
  /** An independent generator, decided by seed and label only. */
  fork: (label: string) => Random;
}

/**
 * Creates the generator xoshiro128** (Blackman and Vigna, https://prng.di.unimi.it).
 *
 * SplitMix32 fills its state from the seed.
 */
export function createRandom(seed: number): Random {
  const split = splitMix32(seed);
  const state = new Uint32Array([split(), split(), split(), split()]);

  const bits = (): number => {
    const s1 = state[1]!;
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
    state[2]! ^= state[0]!;
    state[3]! ^= s1;
    state[1]! ^= state[2]!;
    state[0]! ^= state[3]!;
    state[2]! ^= s1 << 9;
    state[3] = rotateLeft(state[3]!, 11);
    return result;
  };
  const next = (): number => bits() / 0x1_0000_0000;
  return {
    bits,
    next,
    between: (min, max) => min + Math.floor(next() * (max - min + 1)),
    chance: (probability) => next() < probability,
    pick: (items) => items[Math.floor(next() * items.length)]!,
    exponential: (mean) => -Math.log(1 - next()) * mean,
    fork: (label) => createRandom(labelSeed(seed, label)),
  };
}

/**
 * A sampler of ranks by Zipf's law: weights 1/(r+1)^exponent.
 *
 * A few products sell most, and a few phrases are searched most.
 */
export function zipf(count: number, exponent: number): (random: Random) => number {
  const cumulative = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank++) cumulative[rank] = sum += (rank + 1) ** -exponent;
  return (random) => {
    const target = random.next() * sum;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cumulative[middle]! > target) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}

/** A new list in random order (Fisher–Yates). */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = random.between(0, i);
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}

function splitMix32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
}

function rotateLeft(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}

/** FNV-1a over the seed and the label. */
function labelSeed(seed: number, label: string): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let i = 0; i < label.length; i++) hash = Math.imul(hash ^ label.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
