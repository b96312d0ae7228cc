/** The used part of Web Storage, whose values are its own properties, as in browsers. */
export type WebStorage = Record<string, string | undefined> & { setItem(key: string, value: string): void };

/** The used part of a fetch request. */
export interface FetchInit {
  method: 'POST';
  headers: Record<string, string>;
  body: string | ArrayBuffer;
  keepalive?: boolean;
  credentials?: 'omit';
  signal?: AbortSignal;
}

/** The used part of a fetch answer. */
interface FetchAnswer {
  status: number;
  headers: { get(name: string): string | null };
  json(): Promise<unknown>;
}

/** The used part of `navigator`. */
export interface HostNavigator {
  language?: string;
  locks?: { request(name: string, work: () => Promise<void>): Promise<unknown> };
  globalPrivacyControl?: boolean;
  doNotTrack?: string | null;
}

/** A number in browsers. In Node, an object whose `unref` lets the process end. */
export type Timer = { unref?: () => unknown } | number;

type ListenerMethod = (name: string, listener: (event: { type: string }) => void, capture: true) => void;

/**
 * The used part of the global scope, under its own names.
 *
 * Every optional part may be absent. A host without `document` is not a page. Tests and unusual hosts pass a substitute.
 */
export interface Host {
  fetch(url: string, init: FetchInit): Promise<FetchAnswer>;
  setTimeout(callback: () => unknown, ms: number): Timer;
  clearTimeout(timer: never): void;
  Date: { now: () => number };
  /** Absent in Node 18. */
  crypto?: { getRandomValues(numbers: Uint32Array<ArrayBuffer>): Uint32Array };
  document?: {
    hidden: boolean;
    prerendering?: boolean;
    referrer: string;
    documentElement: { lang: string };
  };
  /** Access throws if settings or a sandboxed frame forbid storage. */
  localStorage?: WebStorage;
  sessionStorage?: WebStorage;
  /** The page's own window, and the one it is a frame of; the same outside frames. */
  self?: object;
  parent?: object;
  innerWidth?: number;
  innerHeight?: number;
  location?: { href: string };
  navigator?: HostNavigator;
  addEventListener?: ListenerMethod;
  removeEventListener?: ListenerMethod;
}
