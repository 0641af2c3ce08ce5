import { wrongArgument } from '../arguments.ts';
import type { Value } from '../graph/graph.ts';
import { type DType, type Shape, showType, sizeOf, type TensorType } from '../graph/types.ts';
import { defineOp, shapeError } from './define.ts';
import { sum } from './reduce.ts';

/** Element (i₀, i₁, …) of a view of `shape` is element offset + Σ iₖ · stridesₖ of a tensor. */
type View = Readonly<{ strides: readonly number[]; offset: number }>;

/** Most dimensions of a view. */
const MOST_DIMS = 8;

/** Elements to advance for each dimension of a tensor in memory's order. */
export function stridesOf(shape: Shape): number[] {
  const strides = shape.map(() => 1);
  for (let d = shape.length - 2; d >= 0; d--) strides[d] = strides[d + 1] * shape[d + 1];
  return strides;
}

/** The first and the last element that a view reaches, of one that has any. */
function reach(shape: Shape, { strides, offset }: View): readonly [number, number] {
  const ends = strides.map((stride, d) => (shape[d] - 1) * stride);
  const sumOf = (parts: readonly number[]) => parts.reduce((a, b) => a + b, offset);
  return [sumOf(ends.map((e) => Math.min(0, e))), sumOf(ends.map((e) => Math.max(0, e)))];
}

function expectInside(op: string, shape: Shape, view: View, whole: TensorType): void {
  if (shape.length > MOST_DIMS) {
    throw shapeError(`${op} takes at most ${MOST_DIMS} dimensions, got [${shape.join(', ')}]`);
  }
  if (sizeOf(shape) === 0) return;
  const [first, last] = reach(shape, view);
  if (first >= 0 && last < sizeOf(whole.shape)) return;
  throw shapeError(
    `${op} of [${shape.join(', ')}] reaches elements ${first} to ${last} of ${showType(whole)}`,
  );
}

/** Runs of a view and of the tensor of `size` elements that it is of: leading dimensions which walk both alike. */
function viewRuns(shape: Shape, { strides, offset }: View, size: number): number {
  for (let rank = shape.length; rank > 0; rank--) {
    const lead = shape.slice(0, rank);
    const run = size / sizeOf(lead);
    const alike = stridesOf(lead).every((stride, d) => strides[d] === stride * run);
    if (!alike || !Number.isInteger(run)) continue;
    const [first, last] = reach(shape.slice(rank), { strides: strides.slice(rank), offset });
    if (first >= 0 && last < run) return sizeOf(lead);
  }
  return 1;
}

/** Calls `visit(element of the view, element of the tensor)` for all of a view. */
function walk(
  shape: Shape,
  { strides, offset }: View,
  visit: (i: number, at: number) => void,
): void {
  const index = new Int32Array(shape.length);
  const size = sizeOf(shape);
  let at = offset;
  for (let i = 0; i < size; i++) {
    visit(i, at);
    for (let d = shape.length - 1; d >= 0; d--) {
      at += strides[d];
      if (++index[d] < shape[d]) break;
      at -= strides[d] * shape[d];
      index[d] = 0;
    }
  }
}

const stridedOp = defineOp<View & { shape: readonly number[] }>({
  name: 'strided',
  infer: ([x], { shape, ...view }) => {
    expectInside('strided', shape, view, x);
    return [{ dtype: x.dtype, shape }];
  },
  runs: ({ inputs: [x], attrs: { shape, ...view } }) => viewRuns(shape, view, x.size),
  // What is repeated adds up; the rest of the views that are traced here has every element once.
  gradient: ({ inputs: [x], attrs: { shape, strides, offset } }, [dy]) => {
    if (dy === undefined) return [];
    const repeated = shape.flatMap((_, d) => (strides[d] === 0 ? [d] : []));
    const once = strides.filter((stride) => stride !== 0);
    return [place(sum(dy, repeated), x.shape, { strides: once, offset })];
  },
  tangent: ({ attrs: { shape, ...view } }, [dx]) => [dx && strided(dx, shape, view)],
  kernel:
    ({ inputs: [x], outputs: [y], attrs: { shape, ...view } }) =>
    () =>
      walk(shape, view, (i, at) => {
        y.data[i] = x.data[at];
      }),
});

/** A view of x as a tensor of its own. A stride of 0 repeats; other elements must not be met twice. */
export const strided = (x: Value, shape: Shape, { strides, offset }: View): Value =>
  x.graph.add(stridedOp, [x], { shape, strides, offset })[0];

/** The least and the largest whole number of a dtype; of bf16, whose bits are stored, 0 alone. */
const WHOLE = { i32: [-(2 ** 31), 2 ** 31 - 1], u8: [0, 255], bf16: [0, 0] } as const;

function expectValue(dtype: DType, value: number): void {
  if (dtype === 'f32') return;
  const [least, most] = WHOLE[dtype];
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw wrongArgument(`A value of ${dtype}`, `a whole number from ${least} to ${most}`, value);
}

const placeOp = defineOp<View & { shape: readonly number[]; value: number }>({
  name: 'place',
  infer: ([x], { shape, value, ...view }) => {
    const whole = { dtype: x.dtype, shape };
    expectInside('place', x.shape, view, whole);
    expectValue(x.dtype, value);
    return [whole];
  },
  runs: ({ inputs: [x], outputs: [y], attrs }) => viewRuns(x.shape, attrs, y.size),
  gradient: ({ inputs: [x], attrs: { strides, offset } }, [dy]) => [
    dy && strided(dy, x.shape, { strides, offset }),
  ],
  tangent: ({ attrs: { shape, strides, offset } }, [dx]) => [
    dx && place(dx, shape, { strides, offset }),
  ],
  kernel:
    ({ inputs: [x], outputs: [y], attrs: { value, ...view } }) =>
    () => {
      y.data.fill(value);
      walk(x.shape, view, (i, at) => {
        y.data[at] = x.data[i];
      });
    },
});

/** A tensor of `value` with x where a view of it has its elements; no stride may be 0. */
export const place = (x: Value, shape: Shape, { strides, offset }: View, value = 0): Value =>
  x.graph.add(placeOp, [x], { shape, strides, offset, value })[0];
