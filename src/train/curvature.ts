import { checkBoolean, checkNames, checkWhole, wrongArgument } from '../arguments.ts';
import type { Store } from '../backend/backend.ts';
import { combined, dot, type Krylov, lanczos, norm, ritz } from '../linalg/lanczos.ts';
import { STREAM, uniforms } from '../random/philox.ts';
import { deviation, mean } from '../statistics.ts';
import type { CurvatureProducts, ProductKind } from './curvature-products.ts';
import type { Turns } from './turns.ts';

/** Which matrix: the Hessian of the loss, or the Gauss–Newton matrix, which is the Fisher of cross-entropy and squared errors. */
export type CurvatureMatrix = 'hessian' | 'gaussNewton';

/** How eigenvalues are found. */
export interface EigenvaluesOptions {
  /** Default `hessian`. */
  readonly matrix?: CurvatureMatrix;
  /** ‖A x − λ x‖ over the largest |λ| at which an eigenpair has converged. Default 1e-4. */
  readonly tolerance?: number;
  /** Most products with the matrix. Default 200. */
  readonly products?: number;
  /** Decides the start vector. Default 0. */
  readonly seed?: number;
}

/** An eigenvalue with its vector. */
export interface Eigenpair {
  readonly value: number;
  /** Of length 1, all parameters in their order. */
  readonly vector: Float64Array;
  /** ‖A x − λ x‖. */
  readonly residual: number;
}

/** Random vectors by which a trace or a diagonal is estimated. */
export interface ProbeOptions {
  /** Default `hessian`. */
  readonly matrix?: CurvatureMatrix;
  /** Random vectors of ±1. Default 32. */
  readonly probes?: number;
  /** Decides them. Default 0. */
  readonly seed?: number;
}

/** How a spectral density is estimated. */
export interface DensityOptions {
  /** Default `hessian`. */
  readonly matrix?: CurvatureMatrix;
  /** Random vectors of ±1 to begin with. Default 8. */
  readonly probes?: number;
  /** Decides them. Default 0. */
  readonly seed?: number;
  /** Products a probe: points of its quadrature. Default 64. */
  readonly products?: number;
}

/** The ball in which a loss is looked at. */
export interface SharpnessOptions {
  /** Radius of the ball. Default 0.05. */
  readonly rho?: number;
  /** Measure lengths relative to each parameter, as ASAM does. Default false. */
  readonly adaptive?: boolean;
}

/** A number with its standard error. */
export interface Estimate {
  readonly value: number;
  readonly error: number;
}

/** Points of a spectral density, ascending, and their weights, which add up to 1. */
export interface Density {
  readonly values: Float64Array;
  readonly weights: Float64Array;
}

/** The curvature of a model's loss over examples; made by `model.curvature(dataset)`. The model may go on training in between. */
export class Curvature {
  readonly #products: CurvatureProducts;
  readonly #store: Store;
  readonly #turns: Turns;

  constructor(products: CurvatureProducts, { store, turns }: { store: Store; turns: Turns }) {
    this.#products = products;
    this.#store = store;
    this.#turns = turns;
  }

  /** Numbers of all parameters together: the length of vectors, in which they stand one after the other as in `model.parameters()`. */
  get size(): number {
    return this.#products.size;
  }

  /** The mean loss and its gradient. */
  async gradient(): Promise<{ readonly loss: number; readonly gradient: Float64Array }> {
    const { loss, vector } = await this.#run('gradient', new Float64Array(this.size));
    return { loss, gradient: vector };
  }

  /** H v of the loss's Hessian H, exactly but for rounding to float32: forward over reverse (Pearlmutter 1994). */
  async hessianProduct(v: ArrayLike<number>): Promise<Float64Array> {
    return (await this.#run('hessian', this.#checked(v))).vector;
  }

  /** Jᵀ L J v, J the Jacobian of the outputs and L the loss's Hessian by them (Schraudolph 2002). */
  async gaussNewtonProduct(v: ArrayLike<number>): Promise<Float64Array> {
    return (await this.#run('gaussNewton', this.#checked(v))).vector;
  }

  /**
   * The `count` largest eigenvalues, from the largest down, by Lanczos' iteration with full reorthogonalisation, which keeps
   * a vector for each product. One whose residual is above the tolerance when the products are used up is returned
   * with it.
   */
  async eigenvalues(count: number, options: EigenvaluesOptions = {}): Promise<Eigenpair[]> {
    checkNames<EigenvaluesOptions>('eigenvalues', options, {
      matrix: true,
      tolerance: true,
      products: true,
      seed: true,
    });
    checkWhole('count of eigenvalues', count, 1);
    const { tolerance = 1e-4, products = 200, seed = 0 } = options;
    checkPositive('tolerance of eigenvalues', tolerance);
    checkWhole('products of eigenvalues', products, 1);
    const wanted = Math.min(count, this.size);
    const enough = (space: Krylov) => {
      const done = space.diagonal.length;
      if (done >= products) return true;
      if (done < wanted || done % 5 !== 0) return false;
      const pairs = ritz(space);
      const largest = Math.max(...pairs.map(({ value }) => Math.abs(value)));
      return pairs.slice(0, wanted).every(({ residual }) => residual <= tolerance * largest);
    };
    const space = await lanczos(this.#matrix(options.matrix), this.#signs(seed, 0), enough);
    return ritz(space)
      .slice(0, wanted)
      .map(({ value, vector, residual }) => ({ value, vector: combined(space, vector), residual }));
  }

  /** The trace, as the mean of vᵀ A v over random signs v (Hutchinson 1990). */
  async trace(options: ProbeOptions = {}): Promise<Estimate> {
    const found: number[] = [];
    for await (const [v, product] of this.#probed('trace', options)) found.push(dot(v, product));
    return estimate(found);
  }

  /** The diagonal, as the mean of v ⊙ A v over random signs v, and the standard error of each element. */
  async diagonal(
    options: ProbeOptions = {},
  ): Promise<{ readonly values: Float64Array; readonly errors: Float64Array }> {
    const [sum, squares] = [new Float64Array(this.size), new Float64Array(this.size)];
    let count = 0;
    for await (const [v, product] of this.#probed('diagonal', options)) {
      count += 1;
      for (let i = 0; i < sum.length; i++) {
        const x = v[i] * product[i];
        sum[i] += x;
        squares[i] += x * x;
      }
    }
    const values = sum.map((x) => x / count);
    const errors = squares.map((s, i) =>
      Math.sqrt(Math.max(0, s / count - values[i] ** 2) / Math.max(1, count - 1)),
    );
    return { values, errors };
  }

  /** The density of the spectrum by stochastic Lanczos quadrature (Ghorbani, Krishnan & Xiao 2019). */
  async density(options: DensityOptions = {}): Promise<Density> {
    const { matrix, probes = 8, seed = 0, products = 64 } = options;
    checkNames<DensityOptions>('density', options, {
      matrix: true,
      probes: true,
      seed: true,
      products: true,
    });
    checkWhole('probes of density', probes, 1);
    checkWhole('products of density', products, 1);
    const points: { value: number; weight: number }[] = [];
    for (let probe = 0; probe < probes; probe++) {
      const enough = ({ diagonal }: Krylov) => diagonal.length >= products;
      const space = await lanczos(this.#matrix(matrix), this.#signs(seed, probe), enough);
      for (const { value, vector } of ritz(space)) {
        points.push({ value, weight: vector[0] ** 2 / probes });
      }
    }
    points.sort((a, b) => a.value - b.value);
    return {
      values: Float64Array.from(points, ({ value }) => value),
      weights: Float64Array.from(points, ({ weight }) => weight),
    };
  }

  /**
   * SAM's sharpness L(θ + ε) − L(θ), ε = ρ g/‖g‖ (Foret et al. 2021); `adaptive`: ε = ρ θ² ⊙ g/‖θ ⊙ g‖ (Kwon et al. 2021).
   * The parameters are moved for it and put back to the bit. 0 where the gradient is 0.
   */
  async sharpness(options: SharpnessOptions = {}): Promise<number> {
    checkNames<SharpnessOptions>('sharpness', options, { rho: true, adaptive: true });
    const { rho = 0.05, adaptive = false } = options;
    checkPositive('rho of sharpness', rho);
    checkBoolean('adaptive', adaptive);
    const nothing = new Float64Array(this.size);
    return this.#turns.take(async () => {
      const { loss, vector: g } = await this.#products.run('gradient', nothing);
      const before = this.#products.split((_, __, key) => ({
        key,
        data: this.#store.read(key) as Float32Array,
      }));
      const theta = Float64Array.from(before.flatMap(({ data }) => [...data]));
      const scale = adaptive ? theta.map(Math.abs) : theta.map(() => 1);
      const length = norm(g.map((x, i) => x * scale[i]));
      if (length === 0) return 0;
      const moved = theta.map((x, i) => x + (rho * scale[i] ** 2 * g[i]) / length);
      try {
        this.#products.split((offset, size, key) =>
          this.#store.write(key, Float32Array.from(moved.subarray(offset, offset + size))),
        );
        return (await this.#products.run('gradient', nothing)).loss - loss;
      } finally {
        for (const { key, data } of before) this.#store.write(key, data);
      }
    });
  }

  #run(kind: ProductKind, v: ArrayLike<number>) {
    return this.#turns.take(() => this.#products.run(kind, v));
  }

  #matrix(matrix: CurvatureMatrix = 'hessian') {
    if (matrix !== 'hessian' && matrix !== 'gaussNewton') {
      throw wrongArgument('matrix', "'hessian' or 'gaussNewton'", matrix);
    }
    return async (v: Float64Array) => (await this.#run(matrix, v)).vector;
  }

  async *#probed(
    name: string,
    options: ProbeOptions,
  ): AsyncGenerator<readonly [Float64Array, Float64Array]> {
    checkNames<ProbeOptions>(name, options, { matrix: true, probes: true, seed: true });
    const { matrix, probes = 32, seed = 0 } = options;
    checkWhole(`probes of ${name}`, probes, 1);
    const product = this.#matrix(matrix);
    for (let probe = 0; probe < probes; probe++) {
      const v = this.#signs(seed, probe);
      yield [v, await product(v)];
    }
  }

  #signs(seed: number, probe: number): Float64Array {
    checkWhole('seed', seed, 0);
    const source = { seed, stream: STREAM.probes, step: probe };
    return Float64Array.from(uniforms(source, this.size), (u) => (u < 0.5 ? -1 : 1));
  }

  #checked(v: ArrayLike<number>): ArrayLike<number> {
    if (Object(v).length === this.size) return v;
    throw wrongArgument('A vector', `${this.size} numbers, one for each parameter`, v);
  }
}

const estimate = (found: readonly number[]): Estimate => ({
  value: mean(found),
  error: found.length < 2 ? Number.NaN : deviation(found) / Math.sqrt(found.length),
});

function checkPositive(name: string, value: unknown): void {
  if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return;
  throw wrongArgument(name, 'a finite number above 0', value);
}
