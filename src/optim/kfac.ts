import { z } from 'zod';
import { checkText } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import type { Tap, Value } from '../graph/graph.ts';
import { storedShape } from '../linalg/packed.ts';
import { affine } from '../ops/elementwise.ts';
import { fill } from '../ops/fill.ts';
import {
  type FactorBlock,
  factorBlocks,
  kfacFactors,
  kfacJoin,
  kfacSplit,
  klClip,
} from '../ops/kfac.ts';
import { transposedFactors } from '../ops/linear.ts';
import { countUpdate } from '../ops/roots.ts';
import { sgdOp } from '../ops/sgd.ts';
import { gradientRows, sgdRows, type TableRows } from '../ops/table_rows.ts';
import { schemaOf } from '../options.ts';
import { BoundOptimizer } from '../step/bound.ts';
import type { OptimizerTrace, Pass } from '../step/context.ts';
import { type LayerBatch, observationOf } from '../step/observation.ts';
import type { Rate } from '../step/rate.ts';
import { adapt } from './kfac-damping.ts';
import { blockName, FORMS, type LayerFactors } from './kfac-forms.ts';
import { type LayerStep, stepByModel } from './kfac-model.ts';
import { defineOptimizer, rateSlot } from './optimizer.ts';
import { count, decay, nonNegative, positive, rateOrModel } from './options.ts';
import { every, refreshes } from './refreshes.ts';

/**
 * Options of K-FAC: its rate, damping, the Fisher's labels, how often factors and inverses are made anew, momentum and
 * weight decay. An unknown option or a value out of range is `FLATMIN_ARGUMENT`.
 */
export interface KfacOptions {
  /**
   * Learning rate η, or a schedule; or `'model'`: θ ← θ + δ with δ = −αU + μδ₀, δ₀ the last update, whose α and μ make
   * M(δ) = Vᵀδ + ½δᵀ(F + λd + λ)δ least (Martens & Grosse 2015, 6.4 and 7). F is the exact Fisher of the batch, through
   * the derivatives of the outputs along U and δ₀: two forward passes each. It needs a model, all of whose parameters
   * are in layers that K-FAC covers, and leaves `klClip` and `momentum` no place. State: a copy of the parameters.
   */
  lr: Rate | 'model';
  /**
   * λ, part of the gradient before preconditioning: in an embedding all rows then take part in every step, and not those of
   * the batch alone. Default 0.
   */
  weightDecay?: number;
  /** θ ← θ − ηλθ apart from the preconditioned gradient instead (Zhang et al. 2019). Default false. */
  decoupled?: boolean;
  /**
   * Damping λd: `inverse` splits it between the two factors, `eigen` adds it to their product. Default 1e-3; with
   * `lr: 'model'`, where no clip holds back a model of a mini-batch that promises too much, 1.
   */
  damping?: number;
  /**
   * `inverse`: U = (G + √λd/π I)⁻¹ V (A + π√λd I)⁻¹, π² = (tr A/dim A)/(tr G/dim G), by Cholesky. `eigen`: with λd on the
   * diagonal of A ⊗ G itself, U = (A ⊗ G + λd I)⁻¹ V = Q_Gᵀ((Q_G V Q_Aᵀ)/(gₒaᵢ + λd))Q_A of the eigenvalues g, a and
   * eigenvectors Q; twice the products a step. Default `inverse`.
   */
  form?: 'inverse' | 'eigen';
  /**
   * Lets `damping` follow the reduction ratio r = (h(θ+δ) − h(θ)) / (M(δ) − M(0)) of every fifth step (Martens & Grosse
   * 2015, 6.5): λd ← ωλd where r > 3/4, λd/ω where r < 1/4 or is not a number, ω = (19/20)⁵. h is the loss with its
   * weight decay, M(δ) = gᵀδ + ½δᵀ(F + λd + λ)δ, δᵀFδ that of the change of the outputs, or with `lr: 'model'` exactly.
   * One forward pass more in those steps; needs a model. State: a number, and a copy of the parameters within a step.
   * Default false.
   */
  adaptDamping?: boolean;
  /**
   * A and G are kept as blocks on their diagonals, as few and as equal as their order may be this at most; a
   * convolution's A is cut between channels, and a bias is one more in its last block. What a layer costs for its a = in
   * and g = out is then bounded by ag · blockSize in a step and (a + g) · blockSize² in a round of inverses. Default
   * 1152, 128 channels of a 3 × 3 kernel.
   */
  blockSize?: number;
  /** κ of the KL clip min(1, √(κ / (η² Σ U·V))). Default 1e-3. */
  klClip?: number;
  /** Momentum μ: v ← μv + νU. Default 0. */
  momentum?: number;
  /**
   * Labels of the Fisher: drawn from the model's own output (`true`, an extra backward pass), the data's (`empirical`),
   * or the expectation over all labels (`exact`, a backward pass for each output, and before layers in which rows
   * interact, LSTMs and batch norm, for each output of each row: for small networks). Default `true`.
   */
  fisher?: 'exact' | 'true' | 'empirical';
  /** Steps between two updates of the factors. Default 10. */
  statisticsEvery?: number;
  /**
   * Steps T between two rounds of inverses, or of eigendecompositions, sooner while t is small: when
   * t − t_last ≥ min(T, max(1, ⌊t/5⌋)) and the factors change; with `adaptDamping` after T steps in any case. Default 10.
   */
  inversesEvery?: number;
}

const schema = schemaOf<KfacOptions>()(
  z
    .strictObject({
      lr: rateOrModel,
      weightDecay: nonNegative.default(0),
      decoupled: z.boolean().default(false),
      damping: positive.optional(),
      form: z.enum(['inverse', 'eigen']).default('inverse'),
      adaptDamping: z.boolean().default(false),
      blockSize: count.default(1152),
      klClip: positive.optional(),
      momentum: decay.optional(),
      fisher: z.enum(['true', 'empirical', 'exact']).default('true'),
      statisticsEvery: count.default(10),
      inversesEvery: count.default(10),
    })
    .refine(({ lr, klClip, momentum }) => lr !== 'model' || (klClip ?? momentum) === undefined, {
      error:
        "lr 'model' takes the place of klClip and momentum: leave them out, or give a learning rate",
    })
    .refine(({ lr, decoupled, adaptDamping }) => !decoupled || (lr !== 'model' && !adaptDamping), {
      error: "decoupled does not go with lr 'model' and adaptDamping, whose model has λ in it",
    })
    .transform(({ lr, damping, klClip = 1e-3, momentum = 0, ...options }) =>
      lr === 'model'
        ? { lr, damping: damping ?? 1, ...options }
        : { lr, damping: damping ?? 1e-3, ...options, klClip, momentum },
    ),
);

/** K-FAC on the caller's arrays: `observe` shows it what its layers saw, then `step` takes the gradients. */
export class BoundKfac extends BoundOptimizer {
  readonly #fresh = new Set<string>();

  /**
   * Shows a layer's last batch. Its parameters are `${layer}.weight`, [out, in] or of a convolution [out, channels,
   * height, width], and, where there is one, `${layer}.bias`. Needed before each step that updates the statistics; the
   * Fisher is then that of the labels behind these gradients. Parameters of layers never shown step by SGD.
   */
  observe(layer: string, given: LayerBatch): void {
    checkText('The layer of observe', layer);
    const weight = this.params[`${layer}.weight`];
    if (weight?.shape.length !== 2 && weight?.shape.length !== 4) {
      throw new FlatminError(
        'FLATMIN_ARGUMENT',
        `observe expects a layer with a parameter "${layer}.weight" of shape [out, in] or [out, channels, height, width]; parameters are ${Object.keys(this.params).join(', ')}`,
      );
    }
    this.observations.set(layer, observationOf(layer, weight.shape, given));
    this.#fresh.add(layer);
  }

  protected override beforeStep(): void {
    const due = this.program().compiled.graph.sections.some(
      ({ name, due }) => name === STATISTICS && due(this.nextStep),
    );
    const stale = [...this.observations.keys()].filter((layer) => !this.#fresh.has(layer));
    if (due && (this.observations.size === 0 || stale.length > 0)) {
      const which = stale.length === 0 ? 'at least one layer' : stale.join(', ');
      throw new FlatminError(
        'FLATMIN_ARGUMENT',
        `Step ${this.nextStep} updates K-FAC's statistics: call observe() for ${which} first`,
      );
    }
    this.#fresh.clear();
  }
}

const STATISTICS = 'statistics';

/**
 * K-FAC (Martens & Grosse 2015; convolutions: Grosse & Martens 2016; recurrent weights: Martens, Ba, Johnson 2018, steps
 * as independent samples). A layer with input ā (a 1 for the bias) and
 * pre-activation gradient s′ of one example has A = E[āāᵀ], G = E[s′s′ᵀ], kept as running means, and
 * U = (G + √λd/π I)⁻¹ V (A + π√λd I)⁻¹ for its gradient V, or, by `form`, (A ⊗ G + λd I)⁻¹ V; θ ← θ − ηνU with the KL
 * clip ν.
 * Of an embedding A is diagonal, the frequencies of tokens. Rows that count in the loss are the samples, of
 * `tokenCrossEntropy()` the steps that are not padding.
 * Parameters outside linear, ungrouped convolution, recurrent and embedding layers, batch norm's among them, step by SGD with
 * the same rate, momentum and decay; `groups` gives them another method.
 * Orders above `blockSize` fall into blocks, between which nothing is known: A and G are then block-diagonal throughout,
 * π that of all blocks.
 * State: (a(3a + 1) + g(3g + 1))/2 numbers a layer, a = in + 1 and g = out, or as much for each block, and ag more in the
 * eigenbasis.
 */
export const kfac = defineOptimizer('kfac', schema, trace, {
  title: 'K-FAC',
  equation: 'θ ← θ − ην(G + √λd/π I)⁻¹ V (A + π√λd I)⁻¹',
  variants: { kfac: { lr: 0.01 } },

  Bound: BoundKfac,
  counts: true,
  // U is V over the damping, and the clip looks at their product.
  largest: () => 2 ** 50,
});

function trace(t: OptimizerTrace, options: z.output<typeof schema>): void {
  const { graph, status } = t;
  const pass = t.gradient();
  const indexOf = new Map(t.params.map(({ value }, i) => [value, i]));
  const weightDecay = options.decoupled ? 0 : options.weightDecay;
  // V is then the gradient alone, of which it is known what it was made of.
  const byRows =
    options.lr !== 'model' &&
    options.momentum === 0 &&
    options.form === 'inverse' &&
    weightDecay === 0 &&
    !options.adaptDamping;
  const tables = t.params.map(({ value }, i) =>
    byRows ? gradientRows(value, pass.grads[i]) : undefined,
  );
  t.checkFinite(pass.grads.map((grad, i) => tables[i]?.sums ?? grad));
  const damping = options.adaptDamping
    ? t.state('damping', { dtype: 'f32', shape: [] }, { kind: 'constant', value: options.damping })
    : fill(graph, [], options.damping);
  const updates = t.state('updates', { dtype: 'i32', shape: [1] });
  const fresh = every(options.statisticsEvery);
  const layers = graph.inSection({ name: STATISTICS, due: fresh.due }, () => {
    countUpdate(status, updates, pass.mass);
    let layers: (LayerFactors & { tap: Tap })[] = [];
    const choose = (taps: readonly Tap[]) => eligible(taps, indexOf);
    pass.tapGradients(options.fisher, choose, (tapped, begins) => {
      if (begins) {
        layers = tapped.map(({ tap }) => ({
          tap,
          ...factorsOf(t, tap, indexOf, options.blockSize),
        }));
      }
      tapped.forEach((seen, i) => {
        kfacFactors(status, updates, layers[i], seen, begins);
      });
    });
    return layers;
  });
  const { due } = refreshes(options.inversesEvery, { of: fresh, moving: options.adaptDamping });
  const precondition = graph.inSection({ name: 'inverses', due }, () =>
    FORMS[options.form](t, layers, { damping, updates }),
  );
  const before = t.params.map(({ value }) => affine(value, 1));

  const withGrad = (value: Value) => ({ value, grad: pass.grads[indexOf.get(value) as number] });
  const steps = layers.map(({ name, tap }, i) => {
    const rows = tap.kind === 'embedding' ? tables[indexOf.get(tap.weight) as number] : undefined;
    const bias = tap.bias && withGrad(tap.bias);
    const v = rows?.sums ?? kfacJoin(withGrad(tap.weight), bias, weightDecay);
    const factors = byRows ? transposedFactors(withGrad(tap.weight).grad) : undefined;
    const whole = factors && { dy: factors[0], x: factors[1], hasBias: bias !== undefined };
    return { name, tap, v, u: precondition(v, i, rows ?? whole), rows };
  });
  const promised =
    options.lr === 'model'
      ? stepByModel(t, pass, steps, { damping, weightDecay })
      : stepByRate(t, pass, steps, { ...options, tables });
  if (options.adaptDamping) adapt(t, pass, { before, damping, weightDecay, promised });
}

interface RateOptions {
  readonly lr: Rate;
  readonly klClip: number;
  readonly momentum: number;
  readonly weightDecay: number;
  readonly decoupled: boolean;
  /** Of each parameter the rows of its gradient, where these alone are not 0. */
  readonly tables: readonly (TableRows | undefined)[];
}

/** θ ← θ − ηv of v ← μv + νU with the KL clip ν; parameters outside the layers by SGD. */
function stepByRate(
  t: OptimizerTrace,
  pass: Pass,
  steps: readonly LayerStep[],
  { lr, klClip: kappa, momentum, weightDecay, decoupled, tables }: RateOptions,
): undefined {
  const { graph, status } = t;
  const lrSlot = rateSlot(graph, lr).index;
  const directions = new Map<Value, Value>();
  if (steps.length > 0) {
    const nu = klClip(steps, kappa, lrSlot);
    for (const { tap, u, rows } of steps) {
      const { weight, bias } = kfacSplit(u, nu, rows === undefined ? tap.weight.shape : u.shape);
      directions.set(tap.weight, weight);
      if (tap.bias !== undefined) directions.set(tap.bias, bias);
    }
  }
  const all = t.params.map(({ name, value }, i) => {
    const direction = directions.get(value);
    const rows = tables[i];
    return {
      name,
      value,
      rows,
      preconditioned: direction !== undefined,
      direction: direction ?? rows?.sums ?? pass.grads[i],
    };
  });
  for (const preconditioned of [true, false]) {
    const chosen = all.filter((one) => one.preconditioned === preconditioned);
    // V has its weight decay already, but for a decoupled one.
    const common = {
      lrSlot,
      weightDecay: preconditioned && !decoupled ? 0 : weightDecay,
      decoupled: Number(decoupled),
    };
    const whole = chosen.filter(({ rows }) => rows === undefined);
    if (whole.length > 0) {
      const inputs = whole.flatMap(({ name, value, direction }) => [
        value,
        direction,
        ...(momentum === 0 ? [] : [t.state(`momentum/${name}`, value.type)]),
      ]);
      graph.add(sgdOp, [status, ...inputs], { ...common, momentum, nesterov: 0 });
    }
    for (const { value, rows, direction } of chosen) {
      if (rows !== undefined) sgdRows(status, value, { ...rows, sums: direction }, common);
    }
  }
}

/** Layers whose weight is trained and used once, without groups: those that the factors are right for. */
function eligible(taps: readonly Tap[], indexOf: ReadonlyMap<Value, number>): Tap[] {
  return taps.filter((tap) => {
    const uses = taps.filter((other) => other.weight === tap.weight).length;
    const trained = indexOf.has(tap.weight) && (tap.bias === undefined || indexOf.has(tap.bias));
    return trained && uses === 1 && (tap.attrs.groups ?? 1) === 1;
  });
}

function factorsOf(
  t: OptimizerTrace,
  tap: Tap,
  indexOf: ReadonlyMap<Value, number>,
  blockSize: number,
): LayerFactors {
  const { name, index } = t.params[indexOf.get(tap.weight) as number];
  const blocks = factorBlocks(tap, blockSize);
  const statistics = (what: string, of: readonly FactorBlock[]) =>
    of.map((block, i) => ({
      block,
      value: t.state(blockName(what, i, of.length, name), {
        dtype: 'f32',
        shape: storedShape(block.shape),
      }),
    }));
  return { name, tensor: index, a: statistics('a', blocks.a), g: statistics('g', blocks.g) };
}
