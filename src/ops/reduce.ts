import { checkNames, show, wrongArgument } from '../arguments.ts';
import type { Value } from '../graph/graph.ts';
import { type Shape, sameShape, showType, sizeOf } from '../graph/types.ts';
import { defineOp, expectType, graphOf, shapeError } from './define.ts';
import { affine, neg } from './elementwise.ts';
import { reshape } from './reshape.ts';
import { takeAlongAxis } from './take_along_axis.ts';

/** A tensor seen as [outer, length, inner]; reductions run over `length`. */
type Axis = Readonly<{ outer: number; length: number; inner: number }>;

const sumOp = defineOp<Axis>({
  name: 'sum',
  infer: ([x], { outer, inner }) => {
    expectType('sum', 'its operand', x, 'f32');
    return [{ dtype: 'f32', shape: [outer, inner] }];
  },
  runs: ({ attrs }) => attrs.outer,
  gradient: ({ inputs: [x], attrs }, [dy]) => [dy && reshape(expand(dy, attrs), x.shape)],
  tangent: ({ op, attrs }, [dx]) => [dx?.graph.add(op, [dx], attrs)[0]],
  kernel:
    ({ inputs: [x], outputs: [y], attrs: { outer, length, inner } }) =>
    () => {
      for (let o = 0; o < outer; o++) {
        for (let i = 0; i < inner; i++) {
          let sum = 0;
          for (let k = 0; k < length; k++) sum += x.data[(o * length + k) * inner + i];
          y.data[o * inner + i] = sum;
        }
      }
    },
});

const expandOp = defineOp<Axis>({
  name: 'expand',
  infer: (_, { outer, length, inner }) => [{ dtype: 'f32', shape: [outer, length, inner] }],
  runs: ({ attrs }) => attrs.outer,
  gradient: ({ inputs: [x], attrs }, [dy]) => [
    dy && reshape(dy.graph.add(sumOp, [dy], attrs)[0], x.shape),
  ],
  tangent: ({ attrs }, [dx]) => [dx && expand(dx, attrs)],
  kernel:
    ({ inputs: [x], outputs: [y], attrs: { outer, length, inner } }) =>
    () => {
      for (let o = 0; o < outer; o++) {
        for (let k = 0; k < length; k++) {
          for (let i = 0; i < inner; i++) {
            y.data[(o * length + k) * inner + i] = x.data[o * inner + i];
          }
        }
      }
    },
});

/** Repeats [outer, inner] `length` times along the middle. */
const expand = (x: Value, axis: Axis): Value => x.graph.add(expandOp, [x], axis)[0];

const maxOp = defineOp<Axis>({
  name: 'max',
  infer: ([x], { outer, inner }) => {
    expectType('max', 'its operand', x, 'f32');
    const shape = [outer, inner];
    return [
      { dtype: 'f32', shape },
      { dtype: 'i32', shape },
    ];
  },
  runs: ({ attrs }) => attrs.outer,
  gradient: ({ inputs: [x], outputs: [, index], attrs }, [dy]) => [
    dy && reshape(dy.graph.add(maxGradOp, [dy, index], attrs)[0], x.shape),
  ],
  tangent: ({ outputs: [y, index], attrs: { outer, length, inner } }, [dx]) => {
    if (dx === undefined) return [];
    const taken = takeAlongAxis(
      reshape(dx, [outer, length, inner]),
      reshape(index, [outer, 1, inner]),
    );
    return [reshape(taken, y.shape)];
  },
  kernel:
    ({ inputs: [x], outputs: [y, index], attrs: { outer, length, inner } }) =>
    () => {
      for (let o = 0; o < outer; o++) {
        for (let i = 0; i < inner; i++) {
          let best = 0;
          for (let k = 1; k < length; k++) {
            const candidate = x.data[(o * length + k) * inner + i];
            const known = x.data[(o * length + best) * inner + i];
            if (candidate > known || (Number.isNaN(candidate) && !Number.isNaN(known))) best = k;
          }
          y.data[o * inner + i] =
            length === 0 ? -Infinity : x.data[(o * length + best) * inner + i];
          index.data[o * inner + i] = best;
        }
      }
    },
});

const maxGradOp = defineOp<Axis>({
  name: 'maxGrad',
  infer: (_, { outer, length, inner }) => [{ dtype: 'f32', shape: [outer, length, inner] }],
  tangent: ({ op, inputs: [, index], attrs }, [tdy]) => [
    tdy?.graph.add(op, [tdy, index], attrs)[0],
  ],
  kernel:
    ({ inputs: [dy, index], outputs: [dx], attrs: { outer, length, inner } }) =>
    () => {
      dx.data.fill(0);
      if (length === 0) return; // guard
      for (let o = 0; o < outer; o++) {
        for (let i = 0; i < inner; i++) {
          dx.data[(o * length + index.data[o * inner + i]) * inner + i] = dy.data[o * inner + i];
        }
      }
    },
});

export interface ReduceOptions {
  /** Keep reduced dimensions as 1. */
  keepDims?: boolean;
}

/** An axis from 0 on; negative ones count from the end. */
export function axisOf(name: string, axis: unknown, shape: Shape): number {
  const rank = shape.length;
  const d = Number.isInteger(axis) && (axis as number) < 0 ? (axis as number) + rank : axis;
  if (Number.isInteger(d) && (d as number) >= 0 && (d as number) < rank) return d as number;
  throw shapeError(`${name} has no axis ${show(axis)} in [${shape.join(', ')}]`);
}

/** Reduces `axes` (default all), run by run of neighbouring axes. */
function reduce(
  name: string,
  one: (x: Value, axis: Axis) => Value,
  x: Value,
  axes: readonly number[] | undefined,
  options: ReduceOptions,
): Value {
  graphOf(name, x);
  checkNames<ReduceOptions>(name, options, { keepDims: true });
  if (axes !== undefined && !Array.isArray(axes)) {
    throw wrongArgument(
      `The axes of ${name}`,
      'a list of whole numbers',
      axes,
      `ops.${name}(x, [0]).`,
    );
  }
  const rank = x.shape.length;
  const set = new Set(
    (axes ?? x.shape.map((_, d) => d)).map((axis) => axisOf(name, axis, x.shape)),
  );
  const dims = [...x.shape];
  let y = x;
  for (let end = rank; end > 0; end--) {
    if (!set.has(end - 1)) continue;
    let begin = end - 1;
    while (set.has(begin - 1)) begin -= 1;
    y = one(y, {
      outer: sizeOf(dims.slice(0, begin)),
      length: sizeOf(dims.slice(begin, end)),
      inner: sizeOf(dims.slice(end)),
    });
    for (let d = begin; d < end; d++) dims[d] = 1;
    end = begin + 1;
  }
  return reshape(y, options.keepDims ? dims : x.shape.filter((_, d) => !set.has(d)));
}

/** Sum over `axes` (default all; negative counts from the end). */
export const sum = (x: Value, axes?: readonly number[], options: ReduceOptions = {}): Value =>
  reduce('sum', (v, axis) => v.graph.add(sumOp, [v], axis)[0], x, axes, options);

/** Arithmetic mean over `axes` (default all). */
export function mean(x: Value, axes?: readonly number[], options: ReduceOptions = {}): Value {
  const total = sum(x, axes, options);
  return affine(total, total.size / x.size);
}

/** Maximum over `axes` (default all); ties send the gradient to the first. */
export const max = (x: Value, axes?: readonly number[], options: ReduceOptions = {}): Value =>
  reduce('max', (v, axis) => v.graph.add(maxOp, [v], axis)[0], x, axes, options);

/** Minimum over `axes` (default all); ties send the gradient to the first. */
export const min = (x: Value, axes?: readonly number[], options: ReduceOptions = {}): Value => {
  graphOf('min', x);
  return neg(max(neg(x), axes, options));
};

/**
 * Where the largest element along `axis` stands, as i32; without an axis the one of all, counted in memory's order. Of
 * equals the first, and a NaN before all. No gradient flows.
 */
export function argmax(x: Value, axis?: number, options: ReduceOptions = {}): Value {
  const graph = graphOf('argmax', x);
  checkNames<ReduceOptions>('argmax', options, { keepDims: true });
  const { shape } = x;
  const d = axis === undefined ? undefined : axisOf('argmax', axis, shape);
  const [begin, end] = d === undefined ? [0, shape.length] : [d, d + 1];
  const length = sizeOf(shape.slice(begin, end));
  if (length === 0) throw shapeError(`argmax has nothing to choose from in ${showType(x.type)}`);
  const outer = sizeOf(shape.slice(0, begin));
  const inner = sizeOf(shape.slice(end));
  const kept = shape.slice(begin, end).map(() => 1);
  const rest = options.keepDims ? kept : [];
  const [, index] = graph.add(maxOp, [x], { outer, length, inner });
  return reshape(index, [...shape.slice(0, begin), ...rest, ...shape.slice(end)]);
}

/** The same of the smallest. */
export const argmin = (x: Value, axis?: number, options: ReduceOptions = {}): Value => {
  graphOf('argmin', x);
  return argmax(neg(x), axis, options);
};

/** Sums `x` down to `shape`, undoing a broadcast. */
export function sumTo(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  const lead = x.shape.length - shape.length;
  const axes = x.shape.map((_, d) => d).filter((d) => d < lead || shape[d - lead] !== x.shape[d]);
  return reshape(sum(x, axes), shape);
}
