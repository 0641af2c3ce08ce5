import { FlatminError } from '../errors.ts';

/** Work on one store, one piece after the other: buffers that one writes, another must not read meanwhile. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** Begins `work` when all that was asked for before has ended, well or not. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    this.#waiting += 1;
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    try {
      return await turn;
    } finally {
      this.#waiting -= 1;
    }
  }

  /** Throws `FLATMIN_BUSY` while there is work: what is asked for at once cannot wait. */
  expectIdle(): void {
    if (this.#waiting === 0) return;
    throw new FlatminError('FLATMIN_BUSY', 'A step or a prediction is in progress; await it first');
  }
}
