/**
 * The life of a component: what it opened, closed again in reverse order.
 *
 * Closing twice is one closing. A closer that fails does not keep the others from running; the failures come back
 * together.
 */
export class Scope {
  readonly #controller = new AbortController();
  readonly #closers: { readonly name: string; readonly close: () => void | Promise<void> }[] = [];
  #closing: Promise<void> | undefined;

  /** Aborted when closing begins: everything that waits listens to it. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Registers what has to be closed; the name shows in errors. */
  onClose(name: string, close: () => void | Promise<void>): void {
    if (this.#closing !== undefined) throw new Error(`Cannot open "${name}" as its scope is closing`);
    this.#closers.push({ name, close });
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    this.#controller.abort();
    const failures: Error[] = [];
    for (let closer = this.#closers.pop(); closer !== undefined; closer = this.#closers.pop()) {
      try {
        await closer.close();
      } catch (error) {
        failures.push(new Error(`Cannot close ${closer.name}`, { cause: error }));
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, "Cannot close everything");
  }
}
