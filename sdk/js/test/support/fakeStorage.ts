import type { WebStorage } from '../../src/host.ts';

/** Web Storage as browsers have it: what is stored shows as the object's own keys. `capacity` counts characters. */
export class FakeStorage {
  #capacity: number;
  constructor(capacity = Infinity) {
    this.#capacity = capacity;
  }
  /** As the tracker sees it. */
  get storage(): WebStorage {
    return this as unknown as WebStorage;
  }
  grow(capacity = Infinity): void {
    this.#capacity = capacity;
  }
  get entries(): Record<string, string> {
    return this as unknown as Record<string, string>;
  }
  getItem(key: string): string | null {
    return this.entries[key] ?? null;
  }
  setItem(key: string, value: string): void {
    const others = Object.entries(this.entries).filter(([name]) => name !== key);
    const used = others.reduce((sum, [name, text]) => sum + name.length + text.length, 0);
    if (used + key.length + value.length > this.#capacity) throw new DOMException('full', 'QuotaExceededError');
    this.entries[key] = value;
  }
  removeItem(key: string): void {
    delete this.entries[key];
  }
  clear(): void {
    for (const key of Object.keys(this.entries)) delete this.entries[key];
  }
}
