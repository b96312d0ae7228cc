/**
 * What a process has open. Each resource pushes its closer when it opens; closing runs them last-first, to the end, and
 * throws the first error.
 */
export class Resources {
  readonly #closers: { name: string; close: () => Promise<void> | void }[] = [];
  #closed: Promise<void> | undefined;

  /** Registers a closer and returns the resource, so that opening and registering are one expression. */
  add<T>(name: string, resource: T, close: (resource: T) => Promise<void> | void): T {
    this.#closers.push({ name, close: () => close(resource) });
    return resource;
  }

  /** Closes everything once; later calls wait for the first. */
  close(): Promise<void> {
    this.#closed ??= this.#closeAll();
    return this.#closed;
  }

  async #closeAll(): Promise<void> {
    const errors: unknown[] = [];
    for (const { name, close } of this.#closers.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        errors.push(new Error(`closing ${name} failed`, { cause: error }));
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}
