import type { Host, HostNavigator, WebStorage } from '../../src/host.ts';
import { FakeCookies } from './fakeCookies.ts';
import { FakeStorage } from './fakeStorage.ts';

export interface FakePageOptions {
  href?: string;
  referrer?: string;
  lang?: string;
  navigator?: HostNavigator;
  /** What makes the page a frame of another. */
  frame?: Pick<Host, 'parent' | 'innerWidth' | 'innerHeight'>;
  /** Shared with other pages of the shop; `forbidden`: reading `localStorage` throws, as with cookies blocked. */
  storage?: FakeStorage | 'forbidden';
  /** The tab's, shared with its other pages; default: a tab of its own. */
  tab?: FakeStorage;
  /** Shared with other pages of the shop; `forbidden`: `document.cookie` throws, as in a sandboxed frame. */
  cookies?: FakeCookies | 'forbidden';
}

/** As much of a browser's page as the tracker touches. */
export class FakePage {
  readonly #events = new EventTarget();
  readonly #options: FakePageOptions;
  readonly document: NonNullable<Host['document']> & { cookie: string };
  readonly location: { href: string };

  constructor(options: FakePageOptions = {}) {
    this.#options = options;
    const { referrer = '', lang = '', cookies = new FakeCookies() } = options;
    const jar = (): FakeCookies => {
      if (cookies === 'forbidden') throw new DOMException('denied', 'SecurityError');
      return cookies;
    };
    this.document = {
      hidden: false,
      referrer,
      documentElement: { lang },
      get cookie() {
        return jar().text;
      },
      set cookie(line) {
        jar().set(line);
      },
    };
    this.location = { href: options.href ?? 'https://shop.example/' };
  }

  /** Its part of the global scope. */
  scope(): Partial<Host> {
    const { storage = new FakeStorage(), tab = new FakeStorage(), navigator = { language: 'da-DK' } } = this.#options;
    const scope: Partial<Host> = {
      document: this.document,
      location: this.location,
      navigator,
      self: this,
      parent: this,
      ...this.#options.frame,
      addEventListener: (name, listener) => this.#events.addEventListener(name, listener),
      removeEventListener: (name, listener) => this.#events.removeEventListener(name, listener),
    };
    const read = (area: FakeStorage) => (): WebStorage => {
      if (storage === 'forbidden') throw new DOMException('denied', 'SecurityError');
      return area.storage;
    };
    return Object.defineProperties(scope, {
      localStorage: { get: read(storage as FakeStorage), enumerable: true, configurable: true },
      sessionStorage: { get: read(tab), enumerable: true, configurable: true },
    });
  }

  fire(name: string): void {
    this.#events.dispatchEvent(new Event(name));
  }

  hide(): void {
    this.document.hidden = true;
    this.fire('visibilitychange');
  }
}
