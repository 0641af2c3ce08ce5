import type { OpDef } from '../graph/graph.ts';
import type { Operand } from '../graph/kernel.ts';
import type { Attrs, DType, TensorType } from '../graph/types.ts';
import { defineOp, expectSameShape, expectType } from './define.ts';
import { standsStill } from './status.ts';

/** One tensor's buffers: parameter, gradient, then its state. */
export type Tensors = readonly Operand[];

/**
 * An op that updates every tensor of a model in one call: inputs are the status block, then for each
 * tensor its parameter, its gradient and `state(attrs)` state buffers, all alike in shape. The gradient is
 * only read, the rest is updated in place; nothing happens while the status block says so.
 */
export function defineUpdate<A extends Attrs>(
  name: string,
  { update, ...rule }: UpdateRule<A, Tensors>,
): OpDef<A> {
  return defineJointUpdate<A>(name, {
    ...rule,
    update: (tensors, attrs, row, status) => {
      for (const tensor of tensors) update(tensor, attrs, row, status);
    },
  });
}

/** `T`: one tensor's buffers, or those of all. */
interface UpdateRule<A extends Attrs, T> {
  state(attrs: A): number;
  /** What state may be kept in, that of all tensors alike. Default f32. */
  readonly dtypes?: readonly DType[];
  update(of: T, attrs: A, row: Float64Array, status: Operand): void;
}

/** The same where what happens to a tensor depends on its place among them, or on all. */
export function defineJointUpdate<A extends Attrs>(
  name: string,
  options: UpdateRule<A, readonly Tensors[]>,
): OpDef<A> {
  const groups = <T>(list: readonly T[], attrs: A): T[][] => {
    const width = 2 + options.state(attrs);
    return Array.from({ length: (list.length - 1) / width }, (_, i) =>
      list.slice(1 + i * width, 1 + (i + 1) * width),
    );
  };
  return defineOp<A>({
    name,
    infer: (inputs, attrs) => {
      expectType(name, 'a status block', inputs[0], 'i32', [8]);
      const tensors = groups<TensorType>(inputs, attrs);
      const dtype = options.dtypes?.find((known) => known === tensors[0]?.[2]?.dtype) ?? 'f32';
      for (const [p, g, ...state] of tensors) {
        expectType(name, 'a parameter', p, 'f32');
        expectType(name, 'a gradient', g, 'f32');
        for (const kept of state) expectType(name, 'state', kept, dtype);
        for (const other of [g, ...state]) expectSameShape(name, p.shape, other.shape);
      }
      return [];
    },
    mutates: true,
    kernel: ({ inputs, attrs }) => {
      const [status] = inputs;
      const tensors = groups(inputs, attrs);
      return (row) => {
        if (standsStill(status)) return;
        options.update(tensors, attrs, row, status);
      };
    },
  });
}
