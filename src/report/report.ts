/** What a report is made of: plain data, whatever they come from. All texts are plain text. */
export interface Report {
  readonly title: string;
  readonly subtitle?: string;
  /** What made the data; the first is the command of figures that name none of their own. */
  readonly provenance: readonly Provenance[];
  readonly sections: readonly Section[];
}

export interface Provenance {
  readonly command: string;
  readonly machine: string;
  /** And the version, as people are to name it. */
  readonly commit: string;
  readonly date: string;
}

export type Section = Text | Table | Claims | FigureSection;

export interface Text {
  readonly kind: 'text';
  readonly heading?: string;
  readonly paragraphs: readonly string[];
}

export interface Table {
  readonly kind: 'table';
  readonly heading: string;
  readonly caption?: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
}

export interface Column {
  readonly name: string;
  /** Right-aligned, and sorted by value. */
  readonly numeric?: boolean;
}

/** Numbers are shown with four digits and sorted as they are; null is a gap. */
export type Cell = string | number | null;

export interface Claims {
  readonly kind: 'claims';
  readonly heading: string;
  readonly claims: readonly Claim[];
}

export const VERDICTS = ['borne out', 'not borne out', 'not decided by these runs'] as const;
export type Verdict = (typeof VERDICTS)[number];

export interface Claim {
  readonly text: string;
  /** The published figure. */
  readonly published: string;
  readonly verdict: Verdict;
  /** The measured figures that say so. */
  readonly because: string;
  readonly source: string;
}

export type FigureSection =
  | Curves
  | Scatter
  | Histogram
  | Bars
  | Profile
  | Sensitivity
  | Heatmap
  | Boxes
  | Landscape;

/** What figures of every kind have. */
interface Figure {
  readonly heading: string;
  readonly caption?: string;
  /** The runs that are shown; default those that its values name. */
  readonly runs?: readonly string[];
  /** What made it; default the report's first. */
  readonly command?: string;
}

/** A line a method: the mean over its seeds, and the band between the lowest and the highest. */
export interface Curves extends Figure {
  readonly kind: 'curves';
  readonly x: string;
  readonly y: string;
  readonly logX?: boolean;
  readonly logY?: boolean;
  /** Logarithmic in 1 − y, so that 0.99 and 0.999 are as far apart as 0.9 and 0.99: for accuracies. Instead of `logY`. */
  readonly nearOne?: boolean;
  /** A level that the methods are to reach. */
  readonly target?: number;
  /** Lines to compare with, as a published rate's; each has its name at its end. */
  readonly references?: readonly Reference[];
  readonly series: readonly CurveSeries[];
}

export interface Reference {
  readonly name: string;
  readonly points: readonly (readonly [number, number])[];
}

export interface CurveSeries {
  readonly method: string;
  readonly run: string;
  readonly seed: number;
  /** [x, y] with x ascending. Where y is not finite the run diverged: its line ends in a cross. */
  readonly points: readonly (readonly [number, number])[];
}

/** A point for every pair of numbers. */
export interface Scatter extends Figure {
  readonly kind: 'scatter';
  readonly x: string;
  readonly y: string;
  readonly logX?: boolean;
  readonly logY?: boolean;
  readonly references?: readonly Reference[];
  readonly values: readonly {
    readonly method: string;
    readonly x: number;
    readonly y: number;
    /** What it is of. */
    readonly run?: string;
  }[];
}

/** How often values fall between two numbers, as a density whose area is 1. */
export interface Histogram extends Figure {
  readonly kind: 'histogram';
  readonly x: string;
  /** Default 40. */
  readonly bins?: number;
  /** A value that is looked for among them. */
  readonly mark?: { readonly name: string; readonly x: number };
  readonly series: readonly { readonly method: string; readonly values: readonly number[] }[];
}

/** A bar a method, with its interval, in groups. */
export interface Bars extends Figure {
  readonly kind: 'bars';
  readonly x: string;
  readonly values: readonly Bar[];
  /** A line across, as 1 is for ratios. */
  readonly reference?: number;
}

export interface Bar {
  readonly method: string;
  /** Null where there is none, as for a target that was not reached. */
  readonly value: number | null;
  readonly low?: number;
  readonly high?: number;
  /** As the task. */
  readonly group?: string;
}

/** The share of tasks that a method solves within so many times the best cost. */
export interface Profile extends Figure {
  readonly kind: 'profile';
  /** Default 'cost, as a multiple of the best'. */
  readonly x?: string;
  readonly series: readonly {
    readonly method: string;
    /** [ratio ≥ 1, share 0 … 1], ratio ascending; the share holds until the next ratio. */
    readonly points: readonly (readonly [number, number])[];
  }[];
}

/** A measure against one hyperparameter, on a logarithmic axis; the best point of each method is marked. */
export interface Sensitivity extends Figure {
  readonly kind: 'sensitivity';
  readonly x: string;
  readonly y: string;
  readonly logY?: boolean;
  readonly better: 'high' | 'low';
  readonly series: readonly {
    readonly method: string;
    /** x above 0. A y that is not finite diverged. */
    readonly points: readonly {
      readonly x: number;
      readonly y: number;
      readonly low?: number;
      readonly high?: number;
    }[];
  }[];
}

/**
 * A measure over two hyperparameters, whose best cell is marked, or a matrix. Columns are in the order of their values, from
 * the left, rows of numbers from the bottom.
 */
export interface Heatmap extends Figure {
  readonly kind: 'heatmap';
  readonly x: string;
  readonly y: string;
  readonly measure: string;
  /** Without it no cell is better than others. */
  readonly better?: 'high' | 'low';
  /** Of colours: `log` for positive values; `diverging` from 0. Default `linear`. */
  readonly scale?: 'linear' | 'log' | 'diverging';
  /** Rows of numbers begin at the top, as those of a matrix. */
  readonly downwards?: true;
  readonly cells: readonly {
    readonly x: number | string;
    readonly y: number | string;
    /** Null or not finite where it diverged. */
    readonly value: number | null;
  }[];
}

/** A box a method over its runs, with every run as a point. */
export interface Boxes extends Figure {
  readonly kind: 'boxes';
  readonly x: string;
  readonly values: readonly {
    readonly method: string;
    readonly run: string;
    readonly value: number;
    readonly group?: string;
  }[];
}

/** Paths of methods over the level lines of a function of two numbers. */
export interface Landscape extends Figure {
  readonly kind: 'landscape';
  readonly x: string;
  readonly y: string;
  readonly domain: Readonly<Record<'x' | 'y', readonly [number, number]>>;
  /** Closed lines, the highest level first, as `contoursOf` makes them; `label` is where its number stands. */
  readonly contours: readonly {
    readonly level: number;
    readonly points: readonly (readonly [number, number])[];
    readonly label?: readonly [number, number];
  }[];
  readonly minimum?: readonly [number, number];
  /** A vector field: at (x, y) it is (dx, dy), drawn as it is. */
  readonly field?: readonly {
    readonly x: number;
    readonly y: number;
    readonly dx: number;
    readonly dy: number;
  }[];
  /** Closed lines without points, as the unit ball of a norm. */
  readonly outlines?: readonly {
    readonly method: string;
    readonly points: readonly (readonly [number, number])[];
  }[];
  readonly paths: readonly {
    readonly method: string;
    readonly points: readonly (readonly [number, number])[];
  }[];
  /** The page can play the paths step by step. */
  readonly animated?: true;
  /** In pixels; default 360. */
  readonly height?: number;
  /** In pixels; default all there is. As large as the height, with ranges of one length, a circle is round. */
  readonly width?: number;
}
