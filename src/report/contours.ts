import type { Landscape } from './report.ts';

type Domain = Landscape['domain'];
type Place = readonly [number, number];

/** Grid lines in each direction. */
const GRID = 72;

/**
 * Level lines of a function over a rectangle, by marching squares (Lorensen & Cline 1987) on 72 × 72 values, the highest level
 * first. Each is closed: where the lower side leaves the rectangle it goes along its edge.
 */
export function contoursOf(
  f: (x: number, y: number) => number,
  domain: Domain,
  levels: readonly number[],
): Landscape['contours'] {
  const lines = (['x', 'y'] as const).map((axis) => {
    const [from, to] = domain[axis];
    const inner = Array.from({ length: GRID }, (_, i) => from + ((to - from) * i) / (GRID - 1));
    // The edge twice: beyond it everything counts as higher, at no distance.
    return [from, ...inner, to];
  });
  const inner = lines[0].map((x) => lines[1].map((y) => f(x, y)));
  return levels
    .toSorted((a, b) => b - a)
    .flatMap((level) => {
      const values = inner.map((column, i) =>
        column.map((value, j) =>
          isEdge(i) || isEdge(j) || Number.isNaN(value) ? Number.POSITIVE_INFINITY : value,
        ),
      );
      return ringsOf(values, level, lines[0], lines[1]).map((points) => ({
        level,
        points,
        label: labelOf(points, domain),
      }));
    });
}

const isEdge = (i: number): boolean => i === 0 || i === GRID + 1;

/** A side of a cell: the one from grid point (i, j) to its right (`h`) or upwards (`v`). */
type Side = string;

/** By which of its corners are below, counted anticlockwise from the left lower one: pairs of sides that the line joins. */
const JOINS: readonly (readonly (readonly [number, number])[])[] = Array.from(
  { length: 16 },
  (_, below) => {
    const is = (corner: number) => (below >> (corner % 4)) & 1;
    // Side s lies between corners s and s + 1. From a side at which one goes out of the lower part to the next one back into it.
    const outs = [0, 1, 2, 3].filter((s) => is(s) && !is(s + 1));
    return outs.map((out) => {
      const back = [1, 2, 3].map((k) => (out + k) % 4).find((s) => !is(s) && is(s + 1)) as number;
      return [out, back] as const;
    });
  },
);

function ringsOf(
  values: readonly (readonly number[])[],
  level: number,
  xs: readonly number[],
  ys: readonly number[],
): Place[][] {
  const next = new Map<Side, Side>();
  const places = new Map<Side, Place>();
  for (let i = 0; i + 1 < xs.length; i++) {
    for (let j = 0; j + 1 < ys.length; j++) {
      const corners = [
        [i, j],
        [i + 1, j],
        [i + 1, j + 1],
        [i, j + 1],
      ] as const;
      const below = corners.reduce(
        (sum, [a, b], k) => sum + (values[a][b] < level ? 1 << k : 0),
        0,
      );
      const sides = [`h${i},${j}`, `v${i + 1},${j}`, `h${i},${j + 1}`, `v${i},${j}`];
      for (const [out, back] of JOINS[below]) {
        next.set(sides[out], sides[back]);
        for (const side of [out, back]) {
          const [[a, b], [c, d]] = [corners[side], corners[(side + 1) % 4]];
          places.set(
            sides[side],
            crossing(level, values[a][b], values[c][d], [xs[a], ys[b]], [xs[c], ys[d]]),
          );
        }
      }
    }
  }
  const rings: Place[][] = [];
  for (const [start] of next) {
    const ring: Place[] = [];
    for (let at: Side | undefined = start; at !== undefined && next.has(at); ) {
      ring.push(places.get(at) as Place);
      const after = next.get(at);
      next.delete(at);
      at = after;
    }
    if (ring.length > 2) rings.push(ring);
  }
  return rings;
}

function crossing(level: number, a: number, b: number, from: Place, to: Place): Place {
  const share =
    Number.isFinite(a) && Number.isFinite(b) ? (level - a) / (b - a) : Number.isFinite(a) ? 1 : 0;
  return [from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1])];
}

/** The lowest of its points that is well within. */
function labelOf(points: readonly Place[], { x, y }: Domain): Place | undefined {
  const within = points.filter(([a, b]) => inside(a, x) && inside(b, y));
  return within.length === 0
    ? undefined
    : within.reduce((best, point) => (point[1] < best[1] ? point : best));
}

const inside = (a: number, [from, to]: Place): boolean =>
  a > from + 0.06 * (to - from) && a < to - 0.06 * (to - from);
