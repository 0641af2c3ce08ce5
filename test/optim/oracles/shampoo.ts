import { combine, identity, jacobi, multiply, power, type Rows, transpose } from './matrix.ts';
import type { Oracle, Tensor64 } from './oracle.ts';

/** Half the distance from 1 to the next float32. */
const ROUNDING = 2 ** -24;

interface State {
  readonly dims: readonly number[];
  readonly statistics: Rows[];
  readonly roots: Rows[];
  conditions: number[];
  readonly velocity: Float64Array;
  /** Of float32: see `tolerances`. */
  error: number;
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
  mergeDims = true,
  ridge = 1e-6,
  momentum = 0,
  nesterov = false,
} = {}): { step: Oracle; tolerances: Map<string, number>; rootSteps: number[] } {
  const states = new Map<string, State>();
  const tolerances = new Map<string, number>();
  const rootSteps: number[] = [];
  let updates = 0;
  let last = 0;

  const create = ({ shape, data }: Tensor64): State => {
    const order = shape.length === 0 ? [1] : [...shape];
    const merged = order.length < 3 ? order : [order[0], order.slice(1).reduce((n, d) => n * d)];
    const dims = mergeDims ? merged : order;
    return {
      dims,
      statistics: dims.map((d) => identity(d, beta === 1 ? epsilon : 0)),
      roots: dims.map((d) => identity(d)),
      conditions: dims.map(() => 1),
      velocity: new Float64Array(data.length),
      error: 0,
    };
  };

  const refresh = (state: State): void => {
    state.statistics.forEach((statistic, k) => {
      const corrected =
        beta === 1
          ? statistic
          : combine(statistic, 1 / (1 - beta ** updates), identity(statistic.length), epsilon);
      const largest = Math.max(...jacobi(corrected).values);
      const damped = combine(corrected, 1, identity(statistic.length), ridge * largest);
      const { matrix, condition } = power(damped, -1 / (2 * state.dims.length));
      state.roots[k] = matrix;
      state.conditions[k] = condition;
    });
  };

  const step: Oracle = (params, grads, lr, t) => {
    const collect = (t - 1) % statisticsEvery === 0;
    const renew = t === 1 || t - last >= Math.min(rootsEvery, Math.max(1, Math.floor(t / 5)));
    if (collect) updates += 1;
    if (renew) {
      last = t;
      rootSteps.push(t);
    }
    for (const [name, tensor] of Object.entries(params)) {
      if (tensor.data.length === 0) continue;
      const state = states.get(name) ?? create(tensor);
      states.set(name, state);
      const { dims } = state;
      if (collect) {
        state.statistics.forEach((statistic, k) => {
          const g = unfold(grads[name], dims, k);
          const gram = multiply(g, transpose(g));
          state.statistics[k] = combine(statistic, beta, gram, beta === 1 ? 1 : 1 - beta);
        });
      }
      if (renew) refresh(state);
      let direction = grads[name];
      state.roots.forEach((root, k) => {
        direction = fold(multiply(root, unfold(direction, dims, k)), dims, k);
      });
      let largest = 0;
      direction.forEach((d, i) => {
        state.velocity[i] = momentum * state.velocity[i] + d;
        const taken = nesterov ? d + momentum * state.velocity[i] : state.velocity[i];
        const theta = tensor.data[i];
        tensor.data[i] = theta - lr * taken - lr * weightDecay * theta;
        largest = Math.max(largest, Math.abs(tensor.data[i]));
      });
      const length = Math.hypot(...direction);
      const relative = state.conditions.reduce(
        (sum, condition) => sum + (8 * ROUNDING * condition) / (2 * dims.length),
        32 * ROUNDING,
      );
      state.error += (lr * length * relative) / (1 - momentum) + ROUNDING * largest;
      tolerances.set(name, state.error);
    }
  };
  return { step, tolerances, rootSteps };
}

/** Row-major offsets of the matrix [dims[k], everything else]. */
function offsets(dims: readonly number[], k: number): number[][] {
  const inner = dims.slice(k + 1).reduce((n, d) => n * d, 1);
  const outer = dims.slice(0, k).reduce((n, d) => n * d, 1);
  return Array.from({ length: dims[k] }, (_, i) =>
    Array.from({ length: outer * inner }, (_, j) => {
      const o = Math.floor(j / inner);
      return (o * dims[k] + i) * inner + (j % inner);
    }),
  );
}

const unfold = (data: Float64Array, dims: readonly number[], k: number): Rows =>
  offsets(dims, k).map((row) => row.map((at) => data[at]));

function fold(matrix: Rows, dims: readonly number[], k: number): Float64Array {
  const out = new Float64Array(dims.reduce((n, d) => n * d, 1));
  offsets(dims, k).forEach((row, i) => {
    row.forEach((at, j) => {
      out[at] = matrix[i][j];
    });
  });
  return out;
}
