import type { Host, HostNavigator, WebStorage } from '../../src/host.ts';
import { FakeCookies } from './fakeCookies.ts';
import { FakeStorage } from './fakeStorage.ts';

export interface FakePageOptions {
  href?: string;
  referrer?: string;
  lang?: string;
  navigator?: HostNavigator;
  /** Shared with other pages of the shop; `forbidden`: reading `localStorage` throws, as with cookies blocked. */
  storage?: WebStorage | 'forbidden';
  /** Shared with other pages of the shop; `forbidden`: `document.cookie` throws, as in a sandboxed frame. */
  cookies?: FakeCookies | 'forbidden';
}

/** As much of a browser's page as the tracker touches. */
export class FakePage {
  readonly #events = new EventTarget();
  readonly #options: FakePageOptions;
  readonly document: NonNullable<Host['document']>;
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
    const { storage = new FakeStorage(), navigator = { language: 'da-DK' } } = this.#options;
    const scope: Partial<Host> = {
      document: this.document,
      location: this.location,
      navigator,
      addEventListener: (name, listener) => this.#events.addEventListener(name, listener),
      removeEventListener: (name, listener) => this.#events.removeEventListener(name, listener),
    };
    const read = (): WebStorage => {
      if (storage === 'forbidden') throw new DOMException('denied', 'SecurityError');
      return storage;
    };
    return Object.defineProperty(scope, 'localStorage', { get: read, enumerable: true });
  }

  fire(name: string): void {
    this.#events.dispatchEvent(new Event(name));
  }

  hide(): void {
    this.document.hidden = true;
    this.fire('visibilitychange');
  }
}
