import { soap } from '../../../src/index.ts';
import { DECAY, lr, type Method, plain } from '../../methods/case.ts';
import { combine, jacobi, multiply, type Rows, transpose, zeros } from './matrix.ts';
import type { Oracle, Tensor64 } from './oracle.ts';
import { fold, unfold } from './unfold.ts';

interface State {
  readonly dims: readonly number[];
  /** One a mode; none for vectors. */
  readonly statistics: Rows[];
  /** Eigenvectors as columns. */
  readonly bases: Rows[];
  m: Float64Array;
  v: Float64Array;
}

/** Gram–Schmidt on columns, twice. */
function orthonormalColumns(a: Rows): Rows {
  const columns: number[][] = [];
  for (const column of transpose(a)) {
    let x = column;
    for (const _ of [1, 2]) {
      for (const q of columns) {
        const dot = x.reduce((sum, value, i) => sum + value * q[i], 0);
        x = x.map((value, i) => value - dot * q[i]);
      }
      const length = Math.hypot(...x);
      x = x.map((value) => value / length);
    }
    columns.push(x);
  }
  return transpose(columns);
}

const columnsOf = (a: Rows, order: readonly number[]): Rows =>
  a.map((row) => order.map((j) => row[j]));
const descending = (values: readonly number[]): number[] =>
  values.map((_, i) => i).sort((i, j) => values[j] - values[i]);

/** SOAP, updated as in the authors' code: bases after the step, corrections by the steps after the first. */
export function soapOracle({
  betas = [0.95, 0.95],
  eps = 1e-8,
  weightDecay = 0,
  basesEvery = 10,
  mergeDims = true,
  maxDim = 10_000,
} = {}): Oracle {
  const [beta1, beta2] = betas;
  const states = new Map<string, State>();

  const create = ({ shape, data }: Tensor64): State => {
    const merged = shape.length < 3 ? shape : [shape[0], shape.slice(1).reduce((n, d) => n * d)];
    const dims = mergeDims ? merged : shape;
    const square = (d: number) => (d <= maxDim ? [zeros(d)] : []);
    return {
      dims,
      statistics: dims.length < 2 ? [] : dims.flatMap(square),
      bases: [],
      m: new Float64Array(data.length),
      v: new Float64Array(data.length),
    };
  };
  const modes = ({ dims }: State) => dims.map((_, k) => k).filter((k) => dims[k] <= maxDim);
  const along = (state: State, x: Float64Array, matrices: readonly Rows[]) =>
    matrices.reduce((y, matrix, i) => {
      const k = modes(state)[i];
      return fold(multiply(matrix, unfold(y, state.dims, k)), state.dims, k);
    }, x);

  return (params, grads, lr, t) => {
    for (const [name, tensor] of Object.entries(params)) {
      if (tensor.data.length === 0) continue;
      const state = states.get(name) ?? create(tensor);
      states.set(name, state);
      const g = grads[name];
      if (t > 1) {
        const into = state.bases.map(transpose);
        const turned = along(state, g, into);
        state.m = state.m.map((x, i) => beta1 * x + (1 - beta1) * g[i]);
        state.v = state.v.map((x, i) => beta2 * x + (1 - beta2) * turned[i] ** 2);
        const mean = along(state, state.m, into);
        const direction = mean.map((x, i) => {
          const mHat = x / (1 - beta1 ** (t - 1));
          const vHat = state.v[i] / (1 - beta2 ** (t - 1));
          return mHat / (Math.sqrt(vHat) + eps);
        });
        along(state, direction, state.bases).forEach((d, i) => {
          tensor.data[i] -= lr * (d + weightDecay * tensor.data[i]);
        });
      }
      state.statistics.forEach((statistic, i) => {
        const part = unfold(g, state.dims, modes(state)[i]);
        state.statistics[i] = combine(statistic, beta2, multiply(part, transpose(part)), 1 - beta2);
      });
      if (t === 1) {
        state.statistics.forEach((statistic) => {
          const { values, vectors } = jacobi(statistic);
          state.bases.push(columnsOf(vectors, descending(values)));
        });
      } else if ((t - 1) % basesEvery === 0) {
        state.statistics.forEach((statistic, i) => {
          const q = state.bases[i];
          const product = multiply(statistic, q);
          const values = multiply(transpose(q), product).map((row, j) => row[j]);
          const order = descending(values);
          state.bases[i] = orthonormalColumns(columnsOf(product, order));
          const k = modes(state)[i];
          const rows = unfold(state.v, state.dims, k);
          state.v = fold(
            order.map((j) => rows[j]),
            state.dims,
            k,
          );
        });
      }
    }
  };
}

/** Along an eigenvector of 0 a step is rounding divided by ε. */
const OPTIONS = { eps: 0.1, basesEvery: 3, maxDim: 5, ...DECAY };

export const cases: readonly Method[] = [
  plain(
    'soap',
    () => soap({ lr, ...OPTIONS }),
    () => soapOracle(OPTIONS),
  ),
];
