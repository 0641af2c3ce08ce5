import type { Cell, Column } from './report.ts';
import { look } from './theme.ts';

/** A figure ready to be drawn. */
export interface Plot {
  /** In Vega-Lite, without a width. Methods are numbers in its data, whatever their names hold. */
  readonly spec: PlotSpec;
  /** Methods that a reader may switch off, by their number in `Names`. */
  readonly methods: readonly number[];
  /** Whether it has axes to move and to zoom. */
  readonly zoom?: boolean;
  /** The last of its frames, from 0, where it can be played: the signal `frame` says which is shown. */
  readonly frames?: number;
  /** In words, for those who do not see it. */
  readonly alt: string;
  /** Under the title of pictures, which have no caption. */
  readonly subtitle?: string;
  /** How to read it, after the caption. */
  readonly note?: string;
  readonly runs: readonly string[];
  readonly data: {
    readonly columns: readonly Column[];
    readonly rows: readonly (readonly Cell[])[];
  };
}

export type PlotSpec = Readonly<Record<string, unknown>> & { readonly layer: readonly unknown[] };

/** The methods of a report: one number, colour, dash and shape each, in every figure. */
export class Names {
  readonly all: string[] = [];

  number(name: string): number {
    const found = this.all.indexOf(name);
    return found === -1 ? this.all.push(name) - 1 : found;
  }
}

/** Encodings of the methods' looks; the field `m` has their number. */
export function looks(methods: readonly number[]) {
  const scale = (range: readonly unknown[]) => ({ domain: methods, range });
  const of = <T>(pick: (each: ReturnType<typeof look>) => T) => methods.map((m) => pick(look(m)));
  const encode = (range: readonly unknown[], legend: object | null = LEGEND) => ({
    field: 'm',
    type: 'nominal',
    scale: scale(range),
    legend,
  });
  return {
    color: encode(of(({ colour }) => colour)),
    strokeDash: encode(
      of(({ dash }) => dash),
      null,
    ),
    shape: encode(of(({ shape }) => shape)),
  };
}

/** Replaced for pages, which have a legend of their own. */
export const LEGEND = {
  title: null,
  labelExpr: 'names[datum.value]',
  symbolOpacity: 1,
  symbolStrokeWidth: 0,
};

/** Leaves out the methods that are switched off. */
export const SHOWN = { filter: 'indexof(hidden, datum.m) < 0' };

/**
 * Moves by dragging and zooms by the wheel with a key, which leaves the page's own scrolling alone. It stands in a layer
 * whose fields are `x` and `y`: the page sets `zoom_x` and `zoom_y`.
 */
export const ZOOM = {
  name: 'zoom',
  select: {
    type: 'interval',
    zoom: 'wheel![event.ctrlKey || event.metaKey || event.shiftKey]',
  },
  bind: 'scales',
};
