import type { Options } from '../optim/variants.ts';
import type { Space } from '../sweep/space.ts';
import type { MethodName } from '../tasks/methods.ts';
import type { ScheduleName } from '../tasks/schedules.ts';
import type { Experiment } from './experiment.ts';
import type { Measured } from './measured.ts';
import type { Size } from './size.ts';
import type { Verdict } from './verdict.ts';

/** A study as data: what is trained or computed, by what, and what was claimed of it. */
export interface Study {
  readonly name: string;
  readonly title: string;
  /** What it is about, a paragraph each. */
  readonly about: readonly string[];
  readonly comparisons: readonly Comparison[];
  readonly grids: readonly Grid[];
  readonly experiments?: readonly Experiment[];
  readonly claims: readonly Claim[];
}

/** Methods on a task, several seeds each, evaluated along the way. */
export interface Comparison {
  readonly name: string;
  readonly title: string;
  readonly task: string;
  /** A folder of the data's, where the task knows several data sets. */
  readonly folder?: string;
  readonly schedule: ScheduleName;
  readonly sizes: Readonly<Record<Size, Extent>>;
  /**
   * The test accuracy to which methods are timed; `tuned` the mean of the best tuned baseline's final ones less
   * 0.01, where what can be reached depends on the size.
   */
  readonly target: number | 'tuned';
  readonly contenders: readonly Contender[];
}

/** How much is run. */
export interface Extent {
  readonly epochs: number;
  readonly seeds: number;
  /** Steps between two evaluations. */
  readonly evaluateEvery: number;
  readonly examples?: number;
  readonly testExamples?: number;
  readonly width?: number;
  /** Of the selection: points of each contender, and what a trial trains on. */
  readonly selection: {
    readonly points: number;
    readonly epochs: number;
    readonly seeds: number;
    readonly examples?: number;
    readonly testExamples?: number;
  };
}

/** A method with a setting. */
export interface Contender {
  readonly name: string;
  readonly method: MethodName;
  /** Of what was published, or found by a selection that is on record. */
  readonly settings: Options;
  /** As the published study has it; the others are tuned, with equal budgets. */
  readonly published?: true;
  /** From which a selection draws; none where the setting is the published one. */
  readonly space?: Space;
  /** One of the methods that K-FAC and Shampoo are to beat. */
  readonly baseline?: true;
}

/** Every point of a space, several seeds each, and a point beside it. */
export interface Grid {
  readonly name: string;
  readonly title: string;
  readonly task: string;
  readonly method: MethodName;
  readonly sizes: Readonly<Record<Size, GridExtent>>;
  /** The point that the published study calls the default, which need not be one of the grid's. */
  readonly usual: Readonly<Record<string, number>>;
}

export interface GridExtent {
  readonly space: Space;
  readonly seeds: number;
  readonly epochs: number;
}

/** What was published or is hoped for, and how runs decide it. */
export interface Claim {
  readonly text: string;
  /** The figure in the source. */
  readonly published: string;
  readonly source: string;
  judge(measured: Measured): Verdict;
}
