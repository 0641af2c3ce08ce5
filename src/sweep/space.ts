import { checkNames, checkObject, checkOneOf, checkWhole, wrongArgument } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import { forEachWord, STREAM } from '../random/philox.ts';

/** Numbers between two ends: `count` of them at even distances, of their logarithms by `log`, or all of them. */
export interface Range {
  readonly from: number;
  readonly to: number;
  /** Default `linear`. */
  readonly scale?: 'linear' | 'log';
  /** A grid of so many values, both ends among them; without it values are drawn. */
  readonly count?: number;
}

/** What one option may be: one of these values, or a number of a range. */
export type Dimension = readonly unknown[] | Range;

/** What a sweep varies, by name. */
export type Space = Readonly<Record<string, Dimension>>;

/** A value for every dimension. */
export type Point = Readonly<Record<string, unknown>>;

/** Random draws from a space. */
export interface Draws {
  /** How many points are drawn at random in place of all of the grid. Default: the whole grid. */
  readonly random?: number;
  /** What decides them. Default 0. */
  readonly drawSeed?: number;
}

/**
 * The points of a space: every combination of its values, the last dimension's changing first, or `random` draws, a list's
 * values with equal chances and a range's evenly, or log-uniformly. Equal arguments give equal points.
 * `FLATMIN_ARGUMENT` for a range without a count where nothing is drawn.
 */
export function pointsOf(space: Space, { random, drawSeed = 0 }: Draws = {}): Point[] {
  checkSpace(space);
  if (random === undefined) return combinations(space);
  checkWhole('random', random, 1);
  checkWhole('drawSeed', drawSeed, 0);
  const points: Record<string, unknown>[] = Array.from({ length: random }, () => ({}));
  Object.entries(space).forEach(([name, dimension], i) => {
    const source = { seed: drawSeed, stream: STREAM.sweep, step: i };
    forEachWord(source, random, (k, word) => {
      points[k][name] = drawn(dimension, word / 2 ** 32);
    });
  });
  return points;
}

function combinations(space: Space): Point[] {
  let points: Point[] = [{}];
  for (const [name, dimension] of Object.entries(space)) {
    const values = valuesOf(dimension);
    if (values === undefined) {
      throw new FlatminError(
        'FLATMIN_ARGUMENT',
        `${name} is a range without a count, of which there is no grid; give it a count, or draw points by random`,
      );
    }
    points = points.flatMap((point) => values.map((value) => ({ ...point, [name]: value })));
  }
  return points;
}

/** Those of a grid. */
function valuesOf(dimension: Dimension): readonly unknown[] | undefined {
  if (isList(dimension)) return dimension;
  const { count } = dimension;
  if (count === undefined) return undefined;
  return Array.from({ length: count }, (_, i) =>
    between(dimension, count === 1 ? 0 : i / (count - 1)),
  );
}

function drawn(dimension: Dimension, uniform: number): unknown {
  const values = valuesOf(dimension);
  return values === undefined
    ? between(dimension as Range, uniform)
    : values[Math.floor(uniform * values.length)];
}

function between({ from, to, scale }: Range, part: number): number {
  if (part === 0) return from;
  if (part === 1) return to;
  return scale === 'log' ? from * (to / from) ** part : from + (to - from) * part;
}

// What is no list of this realm may be one of another's.
const isList = (dimension: Dimension): dimension is readonly unknown[] => Array.isArray(dimension);

function checkSpace(space: Space): void {
  checkObject('The space of a sweep', space);
  for (const [name, dimension] of Object.entries(space)) {
    if (isList(dimension)) {
      if (dimension.length > 0) continue;
      throw wrongArgument(`The values of ${name}`, 'at least one', dimension);
    }
    checkNames<Range>(name, dimension, { from: true, to: true, scale: true, count: true });
    const { from, to, scale = 'linear', count } = dimension;
    checkOneOf(`The scale of ${name}`, scale, ['linear', 'log']);
    if (count !== undefined) checkWhole(`The count of ${name}`, count, 1);
    const ordered = Number.isFinite(from) && Number.isFinite(to) && from <= to;
    if (ordered && (scale === 'linear' || from > 0)) continue;
    const ends = scale === 'log' ? 'two numbers above 0' : 'two finite numbers';
    throw wrongArgument(
      `The range of ${name}`,
      `${ends}, from the lesser to the greater`,
      dimension,
    );
  }
}
