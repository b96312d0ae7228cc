/** As much of Web Storage as is used; as in browsers, what is stored shows in `Object.keys`. */
export interface WebStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** As much of a fetch request as is used. */
export interface FetchInit {
  method: 'POST';
  headers: Record<string, string>;
  body: string | ArrayBuffer;
  keepalive: boolean;
  credentials: 'omit';
  signal?: AbortSignal;
}

/** As much of a fetch answer as is used. */
interface FetchAnswer {
  status: number;
  headers: { get(name: string): string | null };
  json(): Promise<unknown>;
}

/** As much of `navigator` as is used. */
export interface HostNavigator {
  language?: string;
  locks?: { request(name: string, work: () => Promise<void>): Promise<unknown> };
  sendBeacon?(url: string, body: string): boolean;
  globalPrivacyControl?: boolean;
  doNotTrack?: string | null;
}

/** In Node a timer is a thing that can be told not to keep the process alive; in browsers a number. */
export type Timer = { unref?: () => unknown } | number;

type ListenerMethod = (name: string, listener: (event: { type: string }) => void) => void;

/**
 * The tracker's edges: as much of the global scope as is used, under its own names. Absent parts are done without; a host
 * without `document` is no page. Tests and unusual hosts pass a stand-in.
 */
export interface Host {
  fetch(url: string, init: FetchInit): Promise<FetchAnswer>;
  setTimeout(callback: () => unknown, ms: number): Timer;
  clearTimeout(timer: never): void;
  Date: { now: () => number };
  /** Node 18 has none. */
  crypto?: { getRandomValues(numbers: Uint32Array<ArrayBuffer>): Uint32Array };
  document?: { hidden: boolean; referrer: string; cookie: string; documentElement: { lang: string } };
  /** Reading it throws where the browser's settings or a sandboxed frame forbid storage. */
  localStorage?: WebStorage;
  location?: { href: string };
  navigator?: HostNavigator;
  addEventListener?: ListenerMethod;
  removeEventListener?: ListenerMethod;
}
