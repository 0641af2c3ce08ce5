import { FlatminError } from '../errors.ts';
import type { Kernel, Operand } from './kernel.ts';
import { checkBytes } from './memory.ts';
import { type Age, FROM_THE_START, type Moment, type Section, type Slot } from './moment.ts';
import { inPrecision, type Precision } from './precision.ts';
import { type Attrs, type DType, type Shape, showType, sizeOf, type TensorType } from './types.ts';

/** A traced tensor: what a node puts out, or a buffer of the store or of the caller. */
export class Value {
  readonly graph: Graph;
  readonly type: TensorType;
  /** The node that makes it; none for stored and bound buffers. */
  readonly node: Node | undefined;
  readonly place: 'arena' | 'store' | 'bound';
  /** Key of a stored or bound buffer. */
  readonly key: string;

  constructor(
    graph: Graph,
    type: TensorType,
    origin: { node?: Node; place: Value['place']; key?: string },
  ) {
    this.graph = graph;
    this.type = type;
    this.node = origin.node;
    this.place = origin.place;
    this.key = origin.key ?? '';
  }

  get shape(): Shape {
    return this.type.shape;
  }

  get dtype(): DType {
    return this.type.dtype;
  }

  get size(): number {
    return sizeOf(this.type.shape);
  }
}

export interface Node<A extends Attrs = Attrs> {
  readonly op: OpDef<A>;
  readonly inputs: readonly Value[];
  readonly outputs: Value[];
  readonly attrs: A;
  readonly section: number;
  readonly phase: number;
  /** Path of the layer that traced it, for messages. */
  readonly layer: string;
}

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
  /** One for each weight, or one alone. */
  tap?(node: Node<A>): Tap | readonly Tap[];
  /** What it takes rows by: checked where it comes from a batch. */
  indexes?(node: Node<A>): Index;
  /**
   * Into how many equal runs, in memory's order, an input and all outputs fall so that each run of the outputs depends on
   * the same run of the input alone: elements, rows, images. Default 1: everything may depend on everything.
   */
  runs?(node: Node<A>, input: number): number;
}

/**
 * The trace of one step, in program order: nodes run as they were added, so an instruction that updates
 * a stored buffer in place is seen by all that is traced after it and by nothing before.
 */
export class Graph {
  readonly nodes: Node[] = [];
  readonly slots: Slot[] = [];
  readonly sections: Section[] = [{ name: 'step', due: () => true }];
  /** The section that each phase begins in. */
  readonly phases: number[] = [0];
  readonly #buffers = new Map<string, Value>();
  readonly #layers: string[] = [];
  #section = 0;
  #age = FROM_THE_START;
  #count: Slot | undefined;
  #rounding = false;
  /** Of products that are traced in `inPrecision`; all others are float32. */
  readonly precision: Precision;

  /**
   * Recurrences are traced step by step, of ops whose gradients have tangents: where a gradient is to be differentiated.
   */
  readonly unrolled: boolean;

  constructor(precision: Precision = 'float32', unrolled = false) {
    this.precision = precision;
    this.unrolled = unrolled;
  }

  /** A buffer of the store, shared by all programs that name it. */
  stored(key: string, type: TensorType): Value {
    return this.#buffer('store', key, type);
  }

  /** A buffer whose array the caller hands over with each run. */
  bound(key: string, type: TensorType): Value {
    return this.#buffer('bound', key, type);
  }

  #buffer(place: 'store' | 'bound', key: string, type: TensorType): Value {
    const known = this.#buffers.get(key);
    if (known === undefined) {
      checkBytes(type);
      const value = new Value(this, type, { place, key });
      this.#buffers.set(key, value);
      return value;
    }
    if (known.place !== place || showType(known.type) !== showType(type)) {
      throw new FlatminError(
        'FLATMIN_SHAPE',
        `Buffer "${key}" is ${known.place} ${showType(known.type)} and was asked for as ${place} ${showType(type)}`,
      );
    }
    return known;
  }

  get buffers(): Iterable<Value> {
    return this.#buffers.values();
  }

  slot(name: string, at: (moment: Moment) => number): Slot {
    const slot = { name, index: this.slots.length, at };
    this.slots.push(slot);
    return slot;
  }

  /** The optimizer step, from 1. */
  readonly step: Slot = this.slot('step', (m) => m.step);
  readonly seed: Slot = this.slot('seed', (m) => m.seed);

  /** Steps, skipped ones too, before the tensors joined that are being traced. */
  get joined(): number {
    return this.#age.step;
  }

  /**
   * What bias corrections count by: less the status block's skipped steps it is the steps that the tensors being traced
   * have taken, this one included.
   */
  get count(): Slot {
    return this.#count ?? this.step;
  }

  /** Traces `body` for tensors that joined then: sections and `count` in it begin anew. */
  inAge<T>(age: Age, body: () => T): T {
    const outer = { age: this.#age, count: this.#count };
    const before = age.step - age.skipped;
    this.#age = age;
    this.#count = this.slot('count', ({ step }) => step - before);
    try {
      return body();
    } finally {
      this.#age = outer.age;
      this.#count = outer.count;
    }
  }

  /** Traces `body` so that it runs only in the steps where `due` holds, counted from when its tensors joined. */
  inSection<T>({ name, due }: Section, body: () => T): T {
    const outer = this.#section;
    const { joined } = this;
    const section = { name, due: (step: number) => step > joined && due(step - joined) };
    this.#section = this.sections.push(joined === 0 ? { name, due } : section) - 1;
    try {
      return body();
    } finally {
      this.#section = outer;
    }
  }

  /** Traces `body` with products in the graph's precision. */
  inPrecision<T>(body: () => T): T {
    const outer = this.#rounding;
    this.#rounding = true;
    try {
      return body();
    } finally {
      this.#rounding = outer;
    }
  }

  /** What is traced from here on can be run apart from what came before. */
  nextPhase(): void {
    this.phases.push(this.#section);
  }

  /** Traces `body` as part of the layer `name`: errors in it say so. */
  inLayer<T>(name: string, body: () => T): T {
    this.#layers.push(name);
    try {
      return body();
    } finally {
      this.#layers.pop();
    }
  }

  add<A extends Attrs>(op: OpDef<A>, inputs: readonly Value[], attrs: A): Value[] {
    const layer = this.#layers.join('.');
    let types: readonly TensorType[];
    try {
      types = op.infer(
        inputs.map((v) => v.type),
        attrs,
      );
      types.forEach(checkBytes);
    } catch (error) {
      if (!(error instanceof FlatminError) || layer === '') throw error;
      throw new FlatminError(error.code, `Layer "${layer}": ${error.message}`);
    }
    const node: Node<A> = {
      op,
      inputs,
      outputs: [],
      attrs: op.product && this.#rounding ? inPrecision(attrs, this.precision) : attrs,
      section: this.#section,
      phase: this.phases.length - 1,
      layer,
    };
    const stored = node as unknown as Node;
    for (const type of types) {
      node.outputs.push(new Value(this, type, { node: stored, place: 'arena' }));
    }
    this.nodes.push(stored);
    return node.outputs;
  }
}
