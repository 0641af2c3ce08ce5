import type { StepReport } from '../train/training.ts';

/** How a run is going at the moment. */
export interface Reading {
  /** Mean over the epoch so far. */
  readonly loss: number;
  /** Of this epoch, evaluation apart. */
  readonly samplesPerSecond: number;
  /** To the end of the run, evaluation included at its rate so far. */
  readonly secondsLeft: number;
}

/** Turns steps into speed; `sample` counts over all epochs. */
export class Meter {
  readonly #epochRows: number;
  readonly #total: number;
  readonly #now: () => number;
  readonly #runBegan: { at: number; sample: number };
  #epochBegan: { at: number; sample: number };
  #lossSum = 0;
  #weight = 0;
  #sample: number;

  /** `now` counts in milliseconds. */
  constructor(epochRows: number, epochs: number, sample: number, now = () => performance.now()) {
    this.#epochRows = epochRows;
    this.#total = epochRows * epochs;
    this.#now = now;
    this.#runBegan = { at: now(), sample };
    this.#epochBegan = this.#runBegan;
    this.#sample = sample;
  }

  get sample(): number {
    return this.#sample;
  }

  beginEpoch(): void {
    this.#epochBegan = { at: this.#now(), sample: this.#sample };
    this.#lossSum = 0;
    this.#weight = 0;
  }

  step({ epoch, row, loss, weight }: StepReport): Reading {
    const sample = epoch * this.#epochRows + row;
    this.#lossSum += loss * weight;
    this.#weight += weight;
    this.#sample = sample;
    const speedSince = (begin: { at: number; sample: number }) =>
      (1000 * (sample - begin.sample)) / (this.#now() - begin.at);
    return {
      loss: this.#lossSum / (this.#weight || 1),
      samplesPerSecond: speedSince(this.#epochBegan),
      secondsLeft: (this.#total - sample) / speedSince(this.#runBegan),
    };
  }
}
