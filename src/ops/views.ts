import { checkWhole, wrongArgument } from '../arguments.ts';
import type { Value } from '../graph/graph.ts';
import { type Shape, sameShape, showType } from '../graph/types.ts';
import { expectDims, expectNumbers, graphOf, shapeError } from './define.ts';
import { axisOf } from './reduce.ts';
import { reshape } from './reshape.ts';
import { place, strided, stridesOf } from './strided.ts';

/** Along an axis: an index, which takes one and drops the axis, [start, stop, step], or null for all. */
export type SliceRange =
  | number
  | null
  | readonly [start: number | null, stop?: number | null, step?: number];

const RANGE = 'an index, [start, stop, step] or null';

/** Where a range begins in `size`, how many it takes, and its step, by Python's rules. */
function resolved(range: readonly unknown[], size: number): [number, number, number] {
  const [start, stop, step = 1] = range;
  const bad = [start, stop, step].some((v) => v != null && !Number.isSafeInteger(v));
  if (bad || range.length > 3 || step === 0 || step === null) {
    throw wrongArgument('A range of slice', `${RANGE}, a step not 0`, range);
  }
  const by = step as number;
  const [least, most] = by > 0 ? [0, size] : [-1, size - 1];
  const clamp = (given: unknown, otherwise: number): number => {
    if (given == null) return otherwise;
    const at = (given as number) + ((given as number) < 0 ? size : 0);
    return Math.min(Math.max(at, least), most);
  };
  const from = clamp(start, by > 0 ? least : most);
  const to = clamp(stop, by > 0 ? most : least);
  return [from, Math.max(0, Math.ceil((to - from) / by)), by];
}

/**
 * Part of a tensor of any dtype, as NumPy's x[…]: `slice(x, [0, [2, null], [null, null, -1]])` is x[0, 2:, ::-1]. Axes
 * without a range are taken whole; indices below 0 count from the end, ranges end where the axis does.
 */
export function slice(x: Value, ranges: readonly SliceRange[]): Value {
  graphOf('slice', x);
  if (!Array.isArray(ranges)) throw wrongArgument('The ranges of slice', 'a list', ranges);
  if (ranges.length > x.shape.length) {
    throw shapeError(`slice has ${ranges.length} ranges for ${showType(x.type)}`);
  }
  const view = { shape: [] as number[], strides: [] as number[], offset: 0 };
  stridesOf(x.shape).forEach((stride, d) => {
    const size = x.shape[d];
    const range = ranges[d] ?? [];
    if (typeof range === 'number') {
      const index = checkIndex(range, size);
      view.offset += index * stride;
      return;
    }
    if (!Array.isArray(range)) throw wrongArgument('A range of slice', RANGE, range);
    const [from, count, step] = resolved(range, size);
    view.shape.push(count);
    view.strides.push(step * stride);
    if (count > 0) view.offset += from * stride;
  });
  return strided(x, view.shape, view);
}

function checkIndex(index: number, size: number): number {
  const at = index < 0 ? index + size : index;
  if (Number.isInteger(at) && at >= 0 && at < size) return at;
  throw wrongArgument('An index of slice', `a whole number from ${-size} to ${size - 1}`, index);
}

/** The axes in another order: dimension i of the result is dimension dims[i] of x, as PyTorch's permute. */
export function permute(x: Value, dims: readonly number[]): Value {
  graphOf('permute', x);
  if (!Array.isArray(dims)) throw wrongArgument('The dims of permute', 'a list', dims);
  const order = dims.map((d) => axisOf('permute', d, x.shape));
  if (order.length !== x.shape.length || new Set(order).size !== order.length) {
    throw shapeError(
      `permute expects every dimension of ${showType(x.type)} once, got [${dims.map(String).join(', ')}]`,
    );
  }
  if (order.every((d, i) => d === i)) return x;
  const strides = stridesOf(x.shape);
  return strided(
    x,
    order.map((d) => x.shape[d]),
    { strides: order.map((d) => strides[d]), offset: 0 },
  );
}

/** Exchanges two axes, by default the last two, as PyTorch's transpose. */
export function transpose(x: Value, dim0 = -2, dim1 = -1): Value {
  graphOf('transpose', x);
  const order = x.shape.map((_, d) => d);
  const [a, b] = [axisOf('transpose', dim0, x.shape), axisOf('transpose', dim1, x.shape)];
  [order[a], order[b]] = [b, a];
  return permute(x, order);
}

/** The order of elements reversed along `axes` (default all). */
export function flip(x: Value, axes?: readonly number[]): Value {
  graphOf('flip', x);
  if (axes !== undefined && !Array.isArray(axes)) {
    throw wrongArgument('The axes of flip', 'a list of whole numbers', axes);
  }
  const turned = new Set((axes ?? x.shape.map((_, d) => d)).map((a) => axisOf('flip', a, x.shape)));
  return slice(
    x,
    x.shape.map((_, d) => (turned.has(d) ? [null, null, -1] : null)),
  );
}

/** Repeats x as in NumPy: axes are added in front, those of one element are stretched. */
export function broadcastTo(x: Value, shape: Shape): Value {
  graphOf('broadcastTo', x);
  expectDims('broadcastTo', shape);
  if (sameShape(x.shape, shape)) return x;
  const lead = shape.length - x.shape.length;
  const own = stridesOf(x.shape);
  if (lead < 0 || x.shape.some((d, i) => d !== 1 && d !== shape[lead + i])) {
    throw shapeError(`broadcastTo cannot make [${shape.join(', ')}] of ${showType(x.type)}`);
  }
  const strides = shape.map((d, i) => (i < lead || x.shape[i - lead] !== d ? 0 : own[i - lead]));
  return strided(x, shape, { strides, offset: 0 });
}

/** x laid side by side so many times along each of the last axes, as NumPy's tile and PyTorch's repeat. */
export function tile(x: Value, reps: readonly number[]): Value {
  graphOf('tile', x);
  expectDims('tile', reps);
  const rank = Math.max(reps.length, x.shape.length);
  const padded = (list: readonly number[]) => [...Array(rank - list.length).fill(1), ...list];
  const [sizes, counts] = [padded(x.shape), padded(reps)];
  const strides = stridesOf(sizes);
  const spread = strided(
    x,
    sizes.flatMap((size, d) => (counts[d] === 1 ? [size] : [counts[d], size])),
    { strides: strides.flatMap((s, d) => (counts[d] === 1 ? [s] : [0, s])), offset: 0 },
  );
  return reshape(
    spread,
    sizes.map((size, d) => size * counts[d]),
  );
}

/** Every element `repeats` times in a row along an axis, as NumPy's repeat and PyTorch's repeat_interleave. */
export function repeat(x: Value, repeats: number, axis: number): Value {
  graphOf('repeat', x);
  checkWhole('repeats of repeat', repeats, 0);
  const d = axisOf('repeat', axis, x.shape);
  const inserted = (list: readonly number[], extra: number) => [
    ...list.slice(0, d + 1),
    extra,
    ...list.slice(d + 1),
  ];
  const view = { strides: inserted(stridesOf(x.shape), 0), offset: 0 };
  return reshape(
    strided(x, inserted(x.shape, repeats), view),
    x.shape.map((size, i) => (i === d ? size * repeats : size)),
  );
}

/** How many elements an axis gets before and after its own; a number is both. */
export type Padding = number | readonly [before: number, after: number];

/** x within `value` (default 0), `padding[d]` of it around axis d, as NumPy's pad. */
export function pad(x: Value, padding: readonly Padding[], value = 0): Value {
  graphOf('pad', x);
  expectNumbers('pad', { value });
  if (!Array.isArray(padding) || padding.length !== x.shape.length) {
    throw wrongArgument('The padding of pad', `a list of ${x.shape.length}, one an axis`, padding);
  }
  const sides = padding.map((one: unknown) => {
    const both = Array.isArray(one) ? one : [one, one];
    expectDims('padding', both);
    if (both.length === 2) return both as [number, number];
    throw wrongArgument('The padding of an axis', 'a number or [before, after]', one);
  });
  const shape = x.shape.map((d, i) => d + sides[i][0] + sides[i][1]);
  const strides = stridesOf(shape);
  const offset = strides.reduce((at, stride, d) => at + stride * sides[d][0], 0);
  return place(x, shape, { strides, offset: x.size === 0 ? 0 : offset }, value);
}
