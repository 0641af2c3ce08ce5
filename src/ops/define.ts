import { show, wrongArgument } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import { type Graph, type OpDef, Value } from '../graph/graph.ts';
import {
  type Attrs,
  type DType,
  type Shape,
  sameShape,
  showType,
  type TensorType,
} from '../graph/types.ts';

const registry = new Map<string, OpDef>();

/** Registers an op under its name, which native kernels share. */
export function defineOp<A extends Attrs>(op: OpDef<A>): OpDef<A> {
  registry.set(op.name, op as unknown as OpDef);
  return op;
}

export function findOp(name: string): OpDef {
  const op = registry.get(name);
  if (op === undefined) throw new FlatminError('FLATMIN_ARGUMENT', `Unknown op "${name}"`);
  return op;
}

export const opNames = (): string[] => [...registry.keys()].sort();

export const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });
export const i32 = (...shape: number[]): TensorType => ({ dtype: 'i32', shape });
export const u8 = (...shape: number[]): TensorType => ({ dtype: 'u8', shape });

/** The graph that all operands are traced in; throws where one is no traced value, or of another graph. */
export function graphOf(op: string, ...operands: readonly unknown[]): Graph {
  const [first, ...others] = operands.map((operand) => {
    if (operand instanceof Value) return operand.graph;
    throw shapeError(
      `${op} expects traced values, as layers and losses are given, got ${show(operand)}`,
    );
  });
  if (others.some((graph) => graph !== first)) {
    throw shapeError(`${op} expects values of one trace, got values of two`);
  }
  return first;
}

/** Throws unless the constants of an op are numbers; they need not be finite. */
export function expectNumbers(op: string, constants: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(constants)) {
    if (typeof value === 'number') continue;
    throw wrongArgument(`${name} of ${op}`, 'a number', value);
  }
}

/** Throws unless `shape` is a list of whole numbers of at least `least`. */
export function expectDims(op: string, shape: unknown, least = 0): void {
  if (Array.isArray(shape) && shape.every((d) => Number.isSafeInteger(d) && d >= least)) return;
  throw wrongArgument(`The shape of ${op}`, 'a list of whole numbers', shape);
}

export function shapeError(message: string): FlatminError {
  return new FlatminError('FLATMIN_SHAPE', message);
}

/** Throws unless `type` has the dtype and, where given, the rank (`null` in a shape matches any size). */
export function expectType(
  op: string,
  operand: string,
  type: TensorType,
  dtype: DType,
  shape?: readonly (number | null)[],
): void {
  const fits =
    type.dtype === dtype &&
    (shape === undefined ||
      (type.shape.length === shape.length &&
        shape.every((d, i) => d === null || d === type.shape[i])));
  if (fits) return;
  const wanted = shape === undefined ? dtype : `${dtype}[${shape.map((d) => d ?? '·').join(', ')}]`;
  throw shapeError(`${op} expects ${operand} ${wanted}, got ${showType(type)}`);
}

export function expectSameShape(op: string, a: Shape, b: Shape): void {
  if (!sameShape(a, b)) {
    throw shapeError(`${op} expects equal shapes, got [${a.join(', ')}] and [${b.join(', ')}]`);
  }
}
