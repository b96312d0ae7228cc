import type { FetchInit, Host } from '../../src/host.ts';
import type { FakePage } from './fakePage.ts';

/** One request as it left the tracker, and when. */
export interface SentRequest {
  at: number;
  url: string;
  init: FetchInit;
  body: { instrumentationKey: string; sentAt: string; events: Record<string, unknown>[] };
}

export type Answerer = (request: SentRequest, index: number) => Promise<Response> | Response;

/** A host on a virtual clock: timers, storage, randomness and requests under the test's control. */
export class VirtualHost {
  /** Virtual ms since the start. */
  elapsed = 0;
  /** Wall clock at the start, and what a change of the device's clock adds to it. */
  wallStart = Date.UTC(2026, 10, 23, 10);
  wallShift = 0;
  readonly requests: SentRequest[] = [];
  readonly host: Host;
  #timers: { due: number; run: () => void; id: number }[] = [];
  #ids = 0;

  /** @param page what makes the host a page, if it is one; @param random draws from 0 up to, not including, 1. */
  constructor(options: { answer: Answerer; page?: FakePage | undefined; random?: () => number }) {
    const random = options.random ?? Math.random;
    this.host = {
      fetch: async (url, init) => {
        const body = JSON.parse(await textOf(init.body)) as SentRequest['body'];
        const request = { at: this.elapsed, url, init, body };
        this.requests.push(request);
        return options.answer(request, this.requests.length - 1);
      },
      Date: { now: () => this.wallStart + this.wallShift + this.elapsed },
      crypto: { getRandomValues: (numbers) => numbers.fill(random() * 2 ** 32) },
      setTimeout: (run, ms) => {
        const id = ++this.#ids;
        this.#timers.push({ due: this.elapsed + ms, run, id });
        return id;
      },
      clearTimeout: (timer) => {
        this.#timers = this.#timers.filter(({ id }) => id !== (timer as unknown));
      },
    };
    // Not spread: reading localStorage may throw, and must do so where the tracker reads it.
    Object.defineProperties(this.host, Object.getOwnPropertyDescriptors(options.page?.scope() ?? {}));
  }

  /** Resolves after `ms` of virtual time. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => void this.host.setTimeout(resolve, ms));
  }

  /** Lets everything finish that needs no time to pass. */
  async settle(): Promise<void> {
    for (let round = 0; round < 20; round++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Moves the clock to `time`, firing timers in their order. */
  async advanceTo(time: number): Promise<void> {
    await this.settle();
    for (;;) {
      const next = this.#timers.toSorted((a, b) => a.due - b.due)[0];
      if (!next || next.due > time) break;
      this.#timers.splice(this.#timers.indexOf(next), 1);
      this.elapsed = Math.max(this.elapsed, next.due);
      next.run();
      await this.settle();
    }
    this.elapsed = time;
  }

  advance(ms: number): Promise<void> {
    return this.advanceTo(this.elapsed + ms);
  }
}

async function textOf(body: FetchInit['body']): Promise<string> {
  if (typeof body === 'string') return body;
  return new Response(new Blob([body]).stream().pipeThrough(new DecompressionStream('gzip'))).text();
}

/** A 202 that accepts everything but the events at the given indices. */
export function accepted(count: number, rejected: object[] = []): Response {
  return Response.json({ receiptId: 'mgq3x0-0-1-0', accepted: count, rejected }, { status: 202 });
}
