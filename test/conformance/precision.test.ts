/** `precision`: what is rounded, on the devices that round, and who refuses. */
import { describe, expect, it } from 'vitest';
import type { DeviceName } from '../../src/backend/device.ts';
import { JsStore } from '../../src/backend/js/store.ts';
import type { Graph } from '../../src/graph/graph.ts';
import type { Numbers } from '../../src/graph/kernel.ts';
import type { Precision } from '../../src/graph/precision.ts';
import type { Instruction } from '../../src/graph/types.ts';
import {
  crossEntropy,
  kfac,
  lenet5,
  muon,
  type Optimizer,
  sam,
  sgd,
  shampoo,
  trainStep,
} from '../../src/index.ts';
import { describeModel } from '../../src/nn/layer.ts';
import { matmul } from '../../src/ops/linear.ts';
import { OptimizerStep } from '../../src/step/optimizer-step.ts';
import { amxModel, type Backend, backends, cpu } from './backends.ts';
import { collectCases } from './collect.ts';
import { f32 } from './data.ts';
import {
  type Case,
  compare,
  GRADIENTS,
  inDoubles,
  type Traced,
  traceForward,
  traceGradient,
} from './harness.ts';
import { shortList } from './short.ts';

const BITS = { tf32: 10, bf16: 7 } as const;
const PRECISIONS = Object.keys(BITS) as (keyof typeof BITS)[];
const PRODUCTS = ['conv2d', 'conv2dGradInput', 'conv2dGradWeight', 'linear', 'matmul'];

/** They multiply bfloat16 themselves; subnormal operands are zero to them. */
const PAIRS = [cpu('avx512bf16'), cpu('amx'), await amxModel()];

/** To the nearest multiple of the last place kept, the even one of two. */
function rounded(x: number, bits: number): number {
  if (x === 0 || !Number.isFinite(x)) return x;
  let exponent = -126;
  while (2 ** (exponent + 1) <= Math.abs(x)) exponent++;
  const place = 2 ** (exponent - bits);
  const below = Math.floor(x / place);
  const rest = x / place - below;
  const up = rest > 0.5 || (rest === 0.5 && below % 2 !== 0);
  return Math.fround((up ? below + 1 : below) * place);
}

const LARGEST = 3.4028234663852886e38;
const SPECIAL = [
  ...[0, 1, -1, 1 / 3, -Math.PI, 1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -11, 1 + 3 * 2 ** -11],
  ...[-1 - 2 ** -8 - 2 ** -20, 2 - 2 ** -12, LARGEST, -LARGEST, 2 ** -130 * 1.37, 2 ** -149],
  ...[Infinity, -Infinity, NaN],
].map(Math.fround);

/** Both operands in turn: a column times 1, and 1 times a row. */
const specials: Case = {
  op: 'matmul',
  name: 'special values',
  inputs: [f32([SPECIAL.length, 1], Float32Array.from(SPECIAL)), f32([1, 1], Float32Array.of(1))],
  build: ([x, one]) => [matmul(x, one), matmul(one, x, { transB: true })],
  oracle: () => [],
};

const all = await collectCases();
const cases = (process.env.FLATMIN_QUICK === undefined ? all : shortList(all)).filter(
  ({ op, inputs }) =>
    ['linear', 'matmul', 'conv2d'].includes(op) &&
    inputs.every(({ data }) => data.length > 0 && data.length < 9000),
);

/**
 * The tolerance of 5×5 tiles is near the error of the very numbers that the case draws, and rounded ones are another
 * draw: of 60 the worst came to 1.7 times the tolerance, rounded or not.
 */
const OTHER_DRAW = 2;

/** The results of every number of threads, which must be the same. */
function results({ open, threads }: Backend, traced: Traced): Numbers[] {
  const [first, ...others] = threads.map((count) => traced.run(open(count)));
  for (const other of others) expect(other).toEqual(first);
  return first;
}

describe.each([...backends, ...PAIRS])('$name', (backend) => {
  const title = backend.missing === null ? 'is there' : `skipped: ${backend.missing}`;
  describe.skipIf(backend.missing !== null).each(PRECISIONS)(`%s, ${title}`, (precision) => {
    const bits = BITS[precision];
    const flushes = PAIRS.includes(backend) && precision === 'bf16';

    it('rounds to the nearest, ties to even, and leaves what is not finite', () => {
      const want = SPECIAL.map((x) => rounded(x, bits)).map((x) =>
        flushes && Math.abs(x) < 2 ** -126 ? 0 : x,
      );
      for (const got of results(backend, traceForward(specials, precision)))
        expect([...got]).toEqual(want);
    });

    it.each(cases)('$op $name: products of rounded operands', (c) => {
      const inputs = c.inputs.map(({ data }, i) =>
        Float64Array.from(data, (x) => (i < 2 ? rounded(x, bits) : x)),
      );
      const want = c.oracle(inputs, []).map((y) => Float64Array.from(y));
      const got = results(backend, traceForward(c, precision));
      expect(compare(got, want, c.tolerance).worst).toBeLessThanOrEqual(1);
    });

    it.each(cases.filter((c) => c.gradient !== undefined))('$op $name: gradients', (c) => {
      const traced = traceGradient(c, precision);
      const want = inDoubles(traced);
      const { worst } = compare(results(backend, traced), want, c.gradientTolerance ?? GRADIENTS);
      expect(worst).toBeLessThanOrEqual(c.name.startsWith('5×5') ? OTHER_DRAW : 1);
    });
  });
});

/** A step of LeNet-5 as it is compiled. */
function stepOf(optimizer: Optimizer, precision?: Precision): readonly Instruction[] {
  const model = lenet5();
  const input = { dtype: 'f32' as const, shape: [2, 1, 32, 32] };
  const targets = { dtype: 'i32' as const, shape: [2] };
  const trace = (graph: Graph) => ({
    inputs: graph.stored('x', input),
    targets: graph.stored('labels', targets),
  });
  const { params } = describeModel(model, input);
  const loss = crossEntropy();
  const parts = [{ rows: 2, trace }];
  const options = { model, params, loss, optimizer, precision, parts };
  const step = new OptimizerStep(new JsStore(), { ...options, onNonFinite: 'throw' });
  return step.program.compiled.spec.instructions;
}
const isRounded = ({ attrs }: Instruction): boolean => 'fractionBits' in attrs;
const roundedOps = (step: readonly Instruction[]): string[] =>
  step.filter(isRounded).map(({ op }) => op);

describe('a step', () => {
  it('rounds every product of both directions', () => {
    const step = stepOf(sgd({ lr: 0.1 }), 'bf16');
    expect([...new Set(roundedOps(step))].sort()).toEqual(PRODUCTS);
    expect(step.filter((i) => PRODUCTS.includes(i.op) && !isRounded(i))).toEqual([]);
    expect(step.filter(isRounded).every(({ attrs }) => attrs.fractionBits === 7)).toBe(true);
  });

  it.each([
    ['shampoo', shampoo({ lr: 0.1 }), ['inverseRoots', 'modeApply', 'modeGram']],
    ['muon', muon({ lr: 0.1 }), ['orthogonalize']],
  ])('leaves the optimizer of %s alone', (_, optimizer, own) => {
    const step = stepOf(optimizer, 'bf16');
    expect(roundedOps(step)).toEqual(roundedOps(stepOf(sgd({ lr: 0.1 }), 'bf16')));
    expect(step.map(({ op }) => op)).toEqual(expect.arrayContaining(own));
  });

  it('rounds of K-FAC the backward pass of drawn labels, and neither statistics nor inverses', () => {
    const step = stepOf(kfac({ lr: 0.1 }), 'bf16');
    expect([...new Set(roundedOps(step))].sort()).toEqual(PRODUCTS);
    // Of the five layers: forward once, backward twice, and K-FAC's own products with two inverses each; of the two linear
    // ones these go by the rows of the batch, and a third makes the update of them.
    const products = step.filter(({ op }) => PRODUCTS.includes(op));
    expect(products.filter((i) => !isRounded(i)).map(({ op }) => op)).toEqual(
      Array(12).fill('matmul'),
    );
  });

  it('is the same as without the option in float32', () => {
    expect(stepOf(sgd({ lr: 0.1 }), 'float32')).toEqual(stepOf(sgd({ lr: 0.1 })));
  });
});

describe('is refused', () => {
  const step = (optimizer: Optimizer, precision: string, device: DeviceName) => () =>
    trainStep(lenet5(), {
      optimizer,
      device,
      precision: precision as Precision,
      input: [1, 32, 32],
    });

  it('under SAM', () => {
    expect(step(sam(sgd({ lr: 0.1 })), 'tf32', 'js')).toThrow(
      "sam expects precision 'float32', got 'tf32', whose rounding would swallow ε̂",
    );
  });

  it('by another name', () => {
    expect(step(sgd({ lr: 0.1 }), 'fp16', 'js')).toThrow(
      'precision must be one of float32, tf32, bf16, got "fp16"',
    );
  });
});
