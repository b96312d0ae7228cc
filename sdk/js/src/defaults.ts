import type { TrackerOptions } from './api.ts';

/** Every default that is not off. A test compares them with the README's table. */
export const DEFAULTS = {
  endpoint: '',
  instrumentationKey: '',
  respectPrivacySignals: true,
  allowQuery: [] as readonly string[],
  attributionWindowMs: 24 * 3_600_000,
  flushIntervalMs: 2000,
  maxBatchEvents: 100,
  maxBatchBytes: 30_000,
  maxQueueEvents: 1000,
  maxQueueBytes: 1_000_000,
  backoffBaseMs: 1000,
  backoffCapMs: 60_000,
  retryAfterCapMs: 600_000,
};

/**
 * Replace absent, undefined and null options by defaults.
 *
 * A mistake in the shop's options must not throw in its page.
 */
export function withDefaults(options: TrackerOptions): TrackerOptions & typeof DEFAULTS {
  const settings: Record<string, unknown> = { ...DEFAULTS };
  for (const [name, value] of Object.entries(options ?? {})) settings[name] = value ?? settings[name];
  return settings as unknown as TrackerOptions & typeof DEFAULTS;
}

/** The receiver's limit for one event as JSON. */
export const MAX_EVENT_BYTES = 4_000_000;
