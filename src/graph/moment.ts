/** When a step runs: what slots and sections are computed from. */
export interface Moment {
  /** Optimizer steps, from 1. */
  readonly step: number;
  /** Passes over the data already finished. */
  readonly epoch: number;
  readonly seed: number;
  /** First row of this step's batch within the epoch's order. */
  readonly offset: number;
  /** The learning rate, in place of what the methods' options say. */
  readonly lr?: number;
}

/** Optimizer steps, and how many of them were skipped, before a tensor joined the training. */
export interface Age {
  readonly step: number;
  readonly skipped: number;
}

/** Of a tensor that was there before the first step. */
export const FROM_THE_START: Age = { step: 0, skipped: 0 };

/** A column of the parameter block: a hyperparameter that changes from step to step. */
export interface Slot {
  readonly name: string;
  readonly index: number;
  readonly at: (moment: Moment) => number;
}

/** Instructions that run only in some steps. */
export interface Section {
  readonly name: string;
  readonly due: (step: number) => boolean;
}
