import { setImmediate } from 'node:timers/promises';

/** Milliseconds: what takes longer goes off the main thread, which costs a tenth of one at most. */
const SHORT = 2;
/** Milliseconds after which the event loop has its turn. */
const TURN = 10;

/**
 * Whether runs are done at once, on the main thread: those that are expected to be short, so many of them that signals,
 * timers and other work are never kept waiting for long. Handing a run over and being woken takes longer than a step of a
 * small model.
 */
export class Pace {
  /** When the event loop had its last turn. */
  #turn = performance.now();

  isShort(milliseconds: number): boolean {
    return milliseconds < SHORT;
  }

  /** Does a piece of work that is expected to take so many milliseconds. */
  async do<T>(
    expected: number,
    { now, later }: { now: () => T; later: () => Promise<T> },
  ): Promise<T> {
    if (!this.isShort(expected)) {
      try {
        return await later();
      } finally {
        this.#turn = performance.now();
      }
    }
    if (performance.now() - this.#turn + expected > TURN) {
      await setImmediate();
      this.#turn = performance.now();
    }
    return now();
  }
}
