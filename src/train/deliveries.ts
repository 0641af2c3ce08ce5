/**
 * Hands items to a callback in their order, one at a time: while a promise of it is pending the others wait, and `pause`
 * is called so that no more of them are made than need be. An error of the callback ends it all.
 */
export class Deliveries<T> {
  readonly #callback: (item: T) => unknown;
  readonly #pause: () => void;
  readonly #waiting: T[] = [];
  #pending: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(callback: (item: T) => unknown, pause: () => void) {
    this.#callback = callback;
    this.#pause = pause;
  }

  /** Never throws: `settled` does. */
  push(item: T): void {
    this.#waiting.push(item);
    if (this.#pending === undefined) this.#deliver();
  }

  /** Resolves when all items are delivered; rejects with what the callback threw or its promise was rejected with. */
  async settled(): Promise<void> {
    while (this.#pending !== undefined) await this.#pending;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #deliver(): void {
    while (this.#waiting.length > 0 && this.#failure === undefined) {
      try {
        const result = this.#callback(this.#waiting.shift() as T);
        if (typeof (result as PromiseLike<unknown> | undefined)?.then !== 'function') continue;
        this.#pause();
        this.#pending = this.#finish(result as PromiseLike<unknown>);
        return;
      } catch (error) {
        this.#fail(error);
      }
    }
  }

  async #finish(result: PromiseLike<unknown>): Promise<void> {
    try {
      await result;
    } catch (error) {
      this.#fail(error);
    }
    this.#pending = undefined;
    this.#deliver();
  }

  #fail(error: unknown): void {
    this.#failure = { error };
    this.#waiting.length = 0;
    this.#pause();
  }
}
