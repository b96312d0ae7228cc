/**
 * Open resources of a process, closed in reverse order.
 * A failed closer does not stop the others. The first error is thrown at the end.
 */
export class Resources {
  readonly #closers: { name: string; close: () => Promise<void> | void }[] = [];
  #closed: Promise<void> | undefined;

  /** Register a closer, and return the resource. */
  add<T>(name: string, resource: T, close: (resource: T) => Promise<void> | void): T {
    this.#closers.push({ name, close: () => close(resource) });
    return resource;
  }

  /** Close everything once; later calls wait for the first. */
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
