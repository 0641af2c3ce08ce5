import { gradients, pullback, pushforward, pushforwards } from '../autodiff/gradients.ts';
import { newShared } from '../backend/backend.ts';
import { Program } from '../backend/program.ts';
import { compile } from '../graph/compile.ts';
import { Graph, type Value } from '../graph/graph.ts';
import type { Numbers } from '../graph/kernel.ts';
import { sizeOf } from '../graph/types.ts';
import { parameterKey, Scope } from '../nn/layer.ts';
import type { Loss } from '../nn/loss.ts';
import { massOf } from '../nn/mass.ts';
import { assign } from '../ops/assign.ts';
import { fill } from '../ops/fill.ts';
import { type Batch, shapeOf } from './batches.ts';
import type { HandedData } from './handed.ts';
import type { ModelOnStore } from './predictor.ts';

const MOMENTS = [{ step: 1, epoch: 0, seed: 0, offset: 0 }];

/** What is traced beside the loss: its gradient g, H v, or Jᵀ L J v with the loss's Hessian L by the outputs. */
export type ProductKind = 'gradient' | 'hessian' | 'gaussNewton';

const toward = (i: number): string => `v/${i}`;
const result = (i: number): string => `result/${i}`;

/** Sums over a dataset of a model in evaluation, as means by what examples weigh. Vectors have all parameters in their order. */
export class CurvatureProducts {
  readonly size: number;
  readonly #on: ModelOnStore;
  readonly #data: HandedData;
  readonly #loss: Loss;
  readonly #programs = new Map<string, Program>();

  constructor(on: ModelOnStore, data: HandedData, loss: Loss) {
    this.#on = on;
    this.#data = data;
    this.#loss = loss;
    this.size = on.params.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  }

  /** The loss, and the product with v; for the gradient v is not looked at. */
  async run(
    kind: ProductKind,
    v: ArrayLike<number>,
  ): Promise<{ loss: number; vector: Float64Array }> {
    const vector = new Float64Array(this.size);
    let [loss, weight] = [0, 0];
    const given = this.split((i, size) => Float32Array.from({ length: size }, (_, k) => v[i + k]));
    for (const batch of this.#data.batches) {
      const program = this.#program(kind, batch);
      const results = this.split((_, size) => newShared('f32', size) as Float32Array);
      const arrays: Record<string, Numbers> = this.#data.arrays(batch);
      results.forEach((own, i) => {
        arrays[result(i)] = own;
        arrays[toward(i)] = sharedOf(given[i]);
      });
      const bindings = program.bound.map((key) => arrays[key]);
      const { reports } = await program.run(MOMENTS, { bindings });
      const mass = reports[1];
      loss += reports[0] * mass;
      weight += mass;
      let at = 0;
      for (const own of results) for (const x of own) vector[at++] += x * mass;
    }
    return { loss: loss / weight, vector: vector.map((x) => x / weight) };
  }

  /** Something for each parameter, by where it begins in a vector and its size. */
  split<T>(of: (offset: number, size: number, key: string) => T): T[] {
    let at = 0;
    return this.#on.params.map(({ name, shape }) => {
      const size = sizeOf(shape);
      at += size;
      return of(at - size, size, parameterKey(name));
    });
  }

  #program(kind: ProductKind, batch: Batch): Program {
    const key = `${kind} ${shapeOf(batch)}`;
    const known = this.#programs.get(key);
    if (known !== undefined) return known;
    const graph = new Graph('float32', true);
    const scope = new Scope(graph, false);
    const { inputs, ...judged } = this.#data.trace(graph, batch);
    const output = this.#on.model(inputs, scope);
    const { sum, shares } = massOf(this.#loss, judged, batch.rows);
    const loss = this.#loss.trace(output, judged.targets, shares);
    this.#data.checkIndices(graph);
    const params = this.#on.params.map(({ name, shape }) =>
      graph.stored(parameterKey(name), { dtype: 'f32', shape }),
    );
    const along = () => params.map((p, i) => graph.bound(toward(i), p.type));
    const products = productsOf[kind]({ params, output, loss, along });
    products.forEach((x, i) => {
      const { type, shape } = params[i];
      assign([graph.bound(result(i), type)], [x ?? fill(graph, shape, 0)]);
    });
    const mass = typeof sum === 'number' ? fill(graph, [], sum) : sum;
    const program = new Program(compile(graph, { reports: [loss, mass] }), this.#on.store);
    this.#programs.set(key, program);
    return program;
  }
}

interface Traced {
  readonly params: readonly Value[];
  readonly output: Value;
  readonly loss: Value;
  readonly along: () => readonly Value[];
}

const productsOf: Readonly<Record<ProductKind, (of: Traced) => (Value | undefined)[]>> = {
  gradient: ({ params, loss }) => gradients(loss, params),
  hessian: ({ params, loss, along }) => {
    const slopes = gradients(loss, params);
    const present = slopes.filter((g) => g !== undefined);
    const moved = pushforwards(present, params, along());
    return slopes.map((g) => (g === undefined ? undefined : moved[present.indexOf(g)]));
  },
  gaussNewton: ({ params, output, loss, along }) => {
    const [slope] = gradients(loss, [output]);
    if (slope === undefined) return params.map(() => undefined);
    const change = pushforward(output, params, along());
    const [turned] = pushforwards([slope], [output], [change]);
    return turned === undefined ? params.map(() => undefined) : pullback(output, turned, params);
  },
};

function sharedOf(data: Float32Array): Float32Array {
  const own = newShared('f32', data.length) as Float32Array;
  own.set(data);
  return own;
}
