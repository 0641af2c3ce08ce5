import { show, wrongArgument } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import { type Graph, type Node, Value } from '../graph/graph.ts';
import {
  type Attrs,
  type DType,
  type Shape,
  sameShape,
  showType,
  type TensorType,
} from '../graph/types.ts';

/** The elements of a buffer in the TypeScript executor; float64 stands in for f32 when it is the reference. */
export type Numbers = Float32Array | Float64Array | Int32Array | Uint8Array | Uint16Array;

/** An operand of a prepared kernel. `data` may change between runs, its length does not. */
export interface Operand extends TensorType {
  readonly size: number;
  data: Numbers;
}

/** Runs one step. `row` is the step's parameter row, read through `…Slot` attributes. */
export type Kernel = (row: Float64Array) => void;

/** What an op that owns weights shows to K-FAC and hooks. */
export interface Tap {
  readonly kind: 'linear' | 'conv2d' | 'embedding';
  /** Rows [rows, in] of a linear layer, images [n, c, h, w], or tokens […] of an embedding. */
  readonly input: Value;
  /** Rows of [out], or [n, out, h, w], before any activation. */
  readonly preActivation: Value;
  /** [out, …]; of an embedding [vocabulary, out]. */
  readonly weight: Value;
  readonly bias: Value | undefined;
  readonly attrs: Attrs;
}

/** An operand whose numbers are indices. */
export interface Index {
  readonly by: Value;
  /** What one is called: `label`. */
  readonly what: string;
  /** 0, or −1 where that stands for none. */
  readonly least: number;
  /** The largest is one less. */
  readonly count: number;
  /** What it is the number of, for messages. */
  readonly of: string;
}

export interface OpDef<A extends Attrs = Attrs> {
  readonly name: string;
  /** Types of the outputs; throws `FLATMIN_SHAPE` for operands that do not fit. */
  infer(inputs: readonly TensorType[], attrs: A): readonly TensorType[];
  /** Gradients of the inputs from those of the outputs (`undefined`: none flows). */
  gradient?(
    node: Node<A>,
    dys: readonly (Value | undefined)[],
  ): readonly (Value | undefined)[] | undefined;
  /** Tangents of the outputs from those of the inputs (`undefined`: zero). */
  tangent?(
    node: Node<A>,
    dxs: readonly (Value | undefined)[],
  ): readonly (Value | undefined)[] | undefined;
  /** Prepares the TypeScript kernel, the reference for all others. */
  kernel(operands: { inputs: readonly Operand[]; outputs: readonly Operand[]; attrs: A }): Kernel;
  /** The output is the first input under another shape: no instruction. */
  readonly alias?: true;
  /** Pairs [input, output] that may share memory when the input dies here. */
  readonly inPlace?: readonly (readonly [number, number])[];
  /** Updates stored buffers in place, so it always runs and is never dropped. */
  readonly mutates?: true;
  /** Multiplies its first two inputs as matrices, rounded to `fractionBitsOf` its attributes; sums are float32. */
  readonly product?: true;
  tap?(node: Node<A>): Tap;
  /** What it takes rows by: checked where it comes from a batch. */
  indexes?(node: Node<A>): Index;
  /**
   * Into how many equal runs, in memory's order, an input and all outputs fall so that each run of the outputs depends on
   * the same run of the input alone: elements, rows, images. Default 1: everything may depend on everything.
   */
  runs?(node: Node<A>, input: number): number;
}

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
