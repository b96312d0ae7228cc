import { delay } from '../../runtime/retry.ts';
import { keyId, newSecret, secretHash, type KeyRecord } from '../../schemas/keys.ts';
import { KEYS_BUCKET } from '../../stream/buckets.ts';
import type { NatsConnection } from '../../stream/nats.ts';
import { openSecretStore, type SecretStore } from '../../stream/secretStore.ts';
import type { SentBatch } from '../load/ledger.ts';
import { availabilityOf, type Availability, type Look } from './availability.ts';
import type { ChaosLedger } from './ledgerFile.ts';
import { PROBE_TENANT, PROBE_TENANTS } from './tenants.ts';

interface ReceiverToProbe {
  /** Base URL of the receiver, without a proxy between. */
  url: string;
  /** Connection without a proxy: a revocation is stored whatever befalls the receiver. */
  connection: NatsConnection;
  ledger: ChaosLedger;
}

/** What the probe found, in seconds. */
export interface ProbeResult extends Availability {
  /** Longest time after its revocation at which a POST with the key began and was answered 202. */
  revokedAcceptedSecondsMax: number;
}

/** The longest times of several probes. Pure. */
export function worstOf(results: readonly ProbeResult[]): ProbeResult {
  const longest = (name: keyof ProbeResult): number => Math.max(0, ...results.map((result) => result[name]));
  return {
    unavailableSecondsMax: longest('unavailableSecondsMax'),
    staleReadySecondsMax: longest('staleReadySecondsMax'),
    revokedAcceptedSecondsMax: longest('revokedAcceptedSecondsMax'),
  };
}

/** A sender that watches what a receiver says of itself. */
export interface Probe {
  /**
   * Watches with one event to each shard every 200 ms, until the signal has aborted and an event is accepted again.
   * With `revokes`, a key of its own is revoked meanwhile, and goes on sending.
   */
  watch: (signal: AbortSignal, options: { revokes: boolean }) => Promise<void>;
  /** The longest times of all watches. */
  readonly result: ProbeResult;
}

const SEGMENT = 'web';
const PAUSE_MS = 200;
/** Longer than a receiver's own deadline for an acknowledgement (fleet.ts). */
const TIMEOUT_MS = 3_000;
const REVOKED_AFTER_MS = 700;
/** Longest wait, after the load, for an event that is accepted. */
const PATIENCE_MS = 60_000;

export async function openProbe({ url, connection, ledger }: ReceiverToProbe): Promise<Probe> {
  const keys = await openSecretStore<KeyRecord>(connection, KEYS_BUCKET, 1);
  const ownKeys = await Promise.all(PROBE_TENANTS.map((tenantId) => createKey(keys, tenantId)));
  const result: ProbeResult = { unavailableSecondsMax: 0, staleReadySecondsMax: 0, revokedAcceptedSecondsMax: 0 };
  const reach = (name: keyof ProbeResult, seconds: number): void => {
    result[name] = Math.max(result[name], seconds);
  };

  const look = async (): Promise<Look> => {
    const fromMs = performance.now();
    const posts = ownKeys.map((key, shard) => post({ url, key, tenantId: PROBE_TENANTS[shard]!, ledger }));
    const statuses = await Promise.all(posts);
    const ready = await isReady(url);
    const answered = statuses.filter((status) => status === 202).length;
    return { fromMs, untilMs: performance.now(), accepted: answered === statuses.length, serves: answered > 0, ready };
  };
  const lookOn = async (signal: AbortSignal): Promise<void> => {
    const looks: Look[] = [];
    const deadline = performance.now() + PATIENCE_MS;
    while (!signal.aborted || (looks.at(-1)?.accepted !== true && performance.now() < deadline)) {
      looks.push(await look());
      await delay(PAUSE_MS);
    }
    const { unavailableSecondsMax, staleReadySecondsMax } = availabilityOf(looks);
    reach('unavailableSecondsMax', unavailableSecondsMax);
    reach('staleReadySecondsMax', staleReadySecondsMax);
  };
  const revoke = async (signal: AbortSignal): Promise<void> => {
    const key = await createKey(keys, PROBE_TENANT);
    await delay(REVOKED_AFTER_MS, signal);
    await keys.update(secretHash(key), (record) => ({ ...record, revokedAt: new Date().toISOString() }));
    const revokedMs = performance.now();
    while (!signal.aborted) {
      const fromMs = performance.now();
      if ((await post({ url, key, tenantId: PROBE_TENANT, ledger })) === 202)
        reach('revokedAcceptedSecondsMax', Math.round((fromMs - revokedMs) / 100) / 10);
      await delay(PAUSE_MS, signal);
    }
  };
  return {
    result,
    async watch(signal, { revokes }) {
      // While the stream server is away, a key can be neither created nor revoked.
      await Promise.all([lookOn(signal), revokes ? revoke(signal).catch(() => undefined) : undefined]);
    },
  };
}

async function createKey(keys: SecretStore<KeyRecord>, tenantId: string): Promise<string> {
  const key = newSecret('ik');
  const hash = secretHash(key);
  await keys.create(hash, {
    tenantId,
    segmentId: SEGMENT,
    kind: 'browser',
    origins: [],
    label: keyId(hash),
    createdAt: new Date().toISOString(),
  });
  return key;
}

/** Sends one event, and returns the status; undefined where no answer came. */
async function post(sending: {
  url: string;
  key: string;
  tenantId: string;
  ledger: ChaosLedger;
}): Promise<number | undefined> {
  const { url, key, tenantId, ledger } = sending;
  const event = probeEvent(tenantId);
  const batch: SentBatch = { tenantId, segmentId: SEGMENT, events: [event] };
  ledger.sending(batch);
  const startedMs = performance.now();
  try {
    const response = await fetch(`${url}/api/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-instrumentation-key': key },
      body: `{"sentAt":"${new Date().toISOString()}","events":[${event.json}]}`,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const answer = (await response.json()) as { receiptId?: string };
    if (response.status === 202) {
      const told = { status: 202, receiptId: answer.receiptId ?? '', accepted: 1, rejected: [] };
      ledger.answered(batch, told, performance.now() - startedMs);
    } else if (response.status !== 401) ledger.gaveUp(batch, `probe: ${response.status}`); // a 401 is stored nowhere
    return response.status;
  } catch {
    ledger.gaveUp(batch, 'probe: no answer');
    return undefined;
  }
}

function probeEvent(tenantId: string): SentBatch['events'][number] {
  const eventId = crypto.randomUUID();
  const atMs = Date.now();
  const timestamp = new Date(atMs).toISOString();
  const json = JSON.stringify({ eventId, type: 'Search', timestamp, sessionId: 'probe', phrase: 'x', resultsCount: 1 });
  return {
    tenantId,
    segmentId: SEGMENT,
    atMs,
    eventId,
    type: 'Search',
    json,
    expected: 'accepted',
    truth: { kind: 'search' },
  };
}

async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}
