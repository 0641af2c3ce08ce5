/**
 * Why a training ended before its last epoch: the signal fired, a callback or `earlyStopping` had it stop, or its loss
 * grew beyond all bounds.
 */
export type Stopped = 'aborted' | 'early' | 'diverged';

/** Stops a training between two steps, for the first reason that comes. */
export class Halt {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #abort = () => this.stop('aborted');
  #reason: Stopped | undefined;

  constructor(outer: AbortSignal | undefined) {
    this.#outer = outer;
    if (outer?.aborted) this.stop('aborted');
    outer?.addEventListener('abort', this.#abort);
  }

  get reason(): Stopped | undefined {
    return this.#reason;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  stop(reason: Stopped): void {
    this.#reason ??= reason;
    this.#controller.abort();
  }

  /** No longer listens to the outer signal. */
  release(): void {
    this.#outer?.removeEventListener('abort', this.#abort);
  }
}
