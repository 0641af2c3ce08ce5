import { type ShampooOptions, shampoo } from '../../../src/index.ts';
import { lr, type Method, plain } from '../../methods/case.ts';
import {
  combine,
  identity,
  jacobi,
  multiply,
  power as powerOf,
  type Rows,
  transpose,
} from './matrix.ts';
import type { Oracle, Tensor64 } from './oracle.ts';
import { fold, unfold } from './unfold.ts';

/** Half the distance from 1 to the next float32. */
const ROUNDING = 2 ** -24;

type Graft = 'none' | 'sgd' | 'adagrad' | 'rmsprop' | 'adam';

/** A block: which elements of the tensor it is, and what it keeps. */
interface Block {
  readonly dims: readonly number[];
  readonly elements: readonly number[];
  readonly statistics: Rows[];
  readonly roots: Rows[];
  conditions: number[];
  /** Of the first statistic only the diagonal is kept, each element by itself. */
  readonly tall: boolean;
}

interface State {
  readonly order: number;
  readonly blocks: readonly Block[];
  readonly velocity: Float64Array;
  readonly graft: (g: Float64Array, t: number) => Float64Array;
  /** Of float32: see `tolerances`. */
  error: number;
}

/** The step of a method at its defaults, element by element. */
function graftedStep(method: Graft, size: number): State['graft'] {
  const m = new Float64Array(size);
  const v = new Float64Array(size);
  return (g, t) =>
    g.map((x, i) => {
      if (method === 'none' || method === 'sgd') return x;
      if (method === 'adam') {
        m[i] = 0.9 * m[i] + 0.1 * x;
        v[i] = 0.999 * v[i] + 0.001 * x * x;
        return m[i] / (1 - 0.9 ** t) / (Math.sqrt(v[i] / (1 - 0.999 ** t)) + 1e-8);
      }
      v[i] = method === 'adagrad' ? v[i] + x * x : 0.99 * v[i] + 0.01 * x * x;
      return x / (Math.sqrt(v[i]) + (method === 'adagrad' ? 1e-10 : 1e-8));
    });
}

const norm = (x: ArrayLike<number>): number => Math.hypot(...Array.from(x));
const sizeOf = (dims: readonly number[]): number => dims.reduce((n, d) => n * d, 1);

/** Elements of every block of at most `size` along each dimension. */
function blocksOf(dims: readonly number[], size: number): { dims: number[]; elements: number[] }[] {
  const found = new Map<string, { dims: number[]; elements: number[] }>();
  for (let at = 0; at < sizeOf(dims); at++) {
    const place = dims.map((d, i) => Math.floor(at / sizeOf(dims.slice(i + 1))) % d);
    const corner = place.map((x) => x - (x % size));
    const key = corner.join();
    const block = found.get(key) ?? {
      dims: corner.map((start, i) => Math.min(size, dims[i] - start)),
      elements: [],
    };
    found.set(key, block);
    block.elements.push(at);
  }
  return [...found.values()];
}

/**
 * Shampoo of tensors of any order. `tolerances` bounds what rounding to float32 may change in θ of each tensor:
 * statistics are rounded to 2⁻²⁴ of their norm in each of a few operations, which moves A^(−1/p) by at most
 * (λmax/λmin)/p times as much, relatively; every step adds its own.
 */
export function shampooOracle({
  weightDecay = 0,
  epsilon = 1e-4,
  beta = 1,
  statisticsEvery = 1,
  rootsEvery = 10,
  startStep = 1,
  graft = 'none' as Graft,
  mergeDims = true,
  blockSize = 1024,
  diagonalAbove = Infinity,
  vectors = 'full',
  exponentOverride = undefined as number | undefined,
  ridge = 1e-6,
  momentum = 0,
  nesterov = false,
} = {}): { step: Oracle; tolerances: Map<string, number>; rootSteps: number[] } {
  const states = new Map<string, State>();
  const tolerances = new Map<string, number>();
  const rootSteps: number[] = [];
  let updates = 0;
  let lastStatistics = 0;

  const isTall = (shape: readonly number[]): boolean =>
    shape.length === 2 && shape[0] > diagonalAbove && shape[1] <= blockSize;

  const create = ({ shape, data }: Tensor64): State => {
    const order = shape.length === 0 ? [1] : [...shape];
    const merged = order.length < 3 ? order : [order[0], order.slice(1).reduce((n, d) => n * d)];
    const dims = mergeDims ? merged : order;
    const size = dims.length === 1 && vectors === 'diagonal' ? 1 : blockSize;
    return {
      order: dims.length,
      blocks: blocksOf(dims, isTall(shape) ? Infinity : size).map((block) => ({
        ...block,
        tall: isTall(shape),
        statistics: block.dims.map((d) => identity(d, beta === 1 ? epsilon : 0)),
        roots: block.dims.map((d) => identity(d)),
        conditions: block.dims.map(() => 1),
      })),
      velocity: new Float64Array(data.length),
      graft: graftedStep(graft, data.length),
      error: 0,
    };
  };

  const power = (order: number) => -1 / (exponentOverride ?? 2 * order);

  const refresh = (block: Block, exponent: number): void => {
    block.statistics.forEach((statistic, k) => {
      const corrected =
        beta === 1
          ? statistic
          : combine(statistic, 1 / (1 - beta ** updates), identity(statistic.length), epsilon);
      if (block.tall && k === 0) {
        const values = corrected.map((row, i) => row[i] * (1 + ridge));
        block.roots[k] = values.map((v, i) => values.map((_, j) => (i === j ? v ** exponent : 0)));
        return;
      }
      const largest = Math.max(...jacobi(corrected).values);
      const damped = combine(corrected, 1, identity(statistic.length), ridge * largest);
      const { matrix, condition } = powerOf(damped, exponent);
      block.roots[k] = matrix;
      block.conditions[k] = condition;
    });
  };

  const preconditioned = (state: State, g: Float64Array): Float64Array => {
    const out = new Float64Array(g.length);
    for (const { dims, elements, roots } of state.blocks) {
      let direction: Float64Array = Float64Array.from(elements, (at) => g[at]);
      roots.forEach((root, k) => {
        direction = fold(multiply(root, unfold(direction, dims, k)), dims, k);
      });
      elements.forEach((at, i) => {
        out[at] = direction[i];
      });
    }
    return out;
  };

  const step: Oracle = (params, grads, lr, t) => {
    const due = (last: number, period: number) =>
      t - last >= Math.min(period, Math.max(1, Math.floor(t / 5)));
    const collect = t === 1 || due(lastStatistics, statisticsEvery);
    const renew =
      t === startStep ||
      (t > startStep && collect && due(rootSteps.at(-1) ?? startStep, rootsEvery));
    if (collect) {
      updates += 1;
      lastStatistics = t;
    }
    if (renew) rootSteps.push(t);
    for (const [name, tensor] of Object.entries(params)) {
      if (tensor.data.length === 0) continue;
      const state = states.get(name) ?? create(tensor);
      states.set(name, state);
      const exponent = power(state.order);
      const g = grads[name];
      for (const block of state.blocks) {
        const own = Float64Array.from(block.elements, (at) => g[at]);
        block.statistics.forEach((statistic, k) => {
          if (!collect) return;
          const part = unfold(own, block.dims, k);
          const products = multiply(part, transpose(part));
          const gram =
            block.tall && k === 0
              ? products.map((row, i) => row.map((x, j) => (i === j ? x : 0)))
              : products;
          block.statistics[k] = combine(statistic, beta, gram, beta === 1 ? 1 : 1 - beta);
        });
        if (renew) refresh(block, exponent);
      }
      const alone = state.graft(g, t);
      let direction: Float64Array = t < startStep ? alone : preconditioned(state, g);
      if (graft !== 'none' && t >= startStep) {
        const ratio = norm(direction) === 0 ? 0 : norm(alone) / norm(direction);
        direction = direction.map((x) => ratio * x);
      }
      let largest = 0;
      direction.forEach((d, i) => {
        state.velocity[i] = momentum * state.velocity[i] + d;
        const taken = nesterov ? d + momentum * state.velocity[i] : state.velocity[i];
        const theta = tensor.data[i];
        tensor.data[i] = theta - lr * taken - lr * weightDecay * theta;
        largest = Math.max(largest, Math.abs(tensor.data[i]));
      });
      // Of the worst block: a sum over modes.
      const relative = Math.max(
        ...state.blocks.map(({ conditions }) =>
          conditions.reduce(
            (sum, condition) => sum + 8 * ROUNDING * condition * Math.abs(exponent),
            32 * ROUNDING,
          ),
        ),
      );
      state.error += (lr * norm(direction) * relative) / (1 - momentum) + ROUNDING * largest;
      tolerances.set(name, state.error);
    }
  };
  return { step, tolerances, rootSteps };
}

const roots = { epsilon: 0.1, rootsEvery: 3 };

const of = (name: string, { rootMethod, ...options }: Omit<ShampooOptions, 'lr'> = {}): Method =>
  plain(
    name,
    () => shampoo({ lr, rootMethod, ...roots, ...options }),
    () => shampooOracle({ ...roots, ...options }).step,
  );

export const cases: readonly Method[] = [
  of('shampoo'),
  of('shampoo newton', { rootMethod: 'newton' }),
  of('shampoo warm', { rootMethod: 'warm' }),
  of('shampoo averaged', { beta: 0.9, momentum: 0.5, nesterov: true }),
  of('shampoo diagonal', { diagonalAbove: 2 }),
  of('shampoo blocks', { blockSize: 3, mergeDims: false, vectors: 'diagonal' }),
  ...(['sgd', 'adagrad', 'rmsprop', 'adam'] as const).map((graft) =>
    of(`shampoo grafted ${graft}`, { graft, startStep: 4 }),
  ),
];
