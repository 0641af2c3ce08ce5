import { FlatminError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import type { Numbers, Operand } from '../graph/kernel.ts';
import { type Shape, showType, sizeOf, type TensorType } from '../graph/types.ts';
import { add, div, mul, plus, square, sub } from './binary.ts';
import { defineOp, expectType, shapeError } from './define.ts';
import { affine, neg } from './elementwise.ts';
import { fill } from './fill.ts';
import { sum } from './reduce.ts';
import { reshape } from './reshape.ts';
import { standsStill } from './status.ts';
import { sqrt } from './unary.ts';

/** Calls `visit(element, channel)` for all elements of [n, channels, …]. */
function forChannels({ shape, size }: Operand, visit: (i: number, channel: number) => void): void {
  const plane = sizeOf(shape.slice(2));
  for (let i = 0; i < size; i++) visit(i, Math.floor(i / plane) % shape[1]);
}

/** Values that a channel's mean is over. */
const countOf = ({ shape }: TensorType): number => shape[0] * sizeOf(shape.slice(2));

function expectImages(op: string, x: TensorType, channels: readonly TensorType[]): void {
  if (x.dtype !== 'f32' || x.shape.length < 2) {
    throw shapeError(`${op} expects f32 [n, channels, …], got ${showType(x)}`);
  }
  for (const c of channels) expectType(op, 'one number for each channel', c, 'f32', [x.shape[1]]);
}

const batchNormOp = defineOp<{ eps: number }>({
  name: 'batchNorm',
  infer: ([x, weight, bias]) => {
    expectImages('batchNorm', x, [weight, bias]);
    return [x, weight, weight];
  },
  gradient: ({ inputs: [x, weight], outputs: [, mean, variance], attrs }, [dy, ...others]) => {
    if (others.some((d) => d !== undefined)) {
      throw new FlatminError('FLATMIN_ARGUMENT', 'Batch statistics have no gradient of their own');
    }
    return dy?.graph.add(batchNormGradOp, [x, weight, mean, variance, dy], attrs);
  },
  // The derivative of y by x is symmetric, and y is linear in weight and bias.
  tangent: (node, [dx, dweight, dbias]) => {
    const [x, weight] = node.inputs;
    const [, mean, variance] = node.outputs;
    const { op, attrs } = node;
    const { graph } = x;
    const zero = fill(graph, weight.shape, 0);
    const scaled =
      (dweight ?? dbias) && graph.add(op, [x, dweight ?? zero, dbias ?? zero], attrs)[0];
    if (dx === undefined) return [scaled];
    // Beside it, Σ dx x̂ and Σ dx of every channel.
    const given = [x, weight, mean, variance, dx];
    const [moved, along, total] = graph.add(batchNormGradOp, given, attrs);
    const count = Math.max(1, countOf(x.type));
    const deviation = sqrt(affine(variance, 1, attrs.eps));
    return [
      plus(moved, scaled),
      affine(total, 1 / count),
      affine(mul(along, deviation), 2 / count),
    ];
  },
  kernel: ({ inputs: [x, weight, bias], outputs: [y, mean, variance], attrs: { eps } }) => {
    const count = Math.max(1, countOf(x));
    const [, channels] = x.shape;
    return () => {
      const sums = new Float64Array(channels);
      forChannels(x, (i, c) => {
        sums[c] += x.data[i];
      });
      const means = sums.map((total) => total / count);
      sums.fill(0);
      forChannels(x, (i, c) => {
        sums[c] += (x.data[i] - means[c]) ** 2;
      });
      mean.data.set(means);
      variance.data.set(sums.map((total) => total / count));
      forChannels(x, (i, c) => {
        const scale = weight.data[c] / Math.sqrt(sums[c] / count + eps);
        y.data[i] = (x.data[i] - means[c]) * scale + bias.data[c];
      });
    };
  },
});

/** dx, dweight and dbias; with x̂ = (x − mean)/√(variance + ε): dx = weight/√(variance + ε) · (dy − dbias/n − x̂ dweight/n). */
const batchNormGradOp = defineOp<{ eps: number }>({
  name: 'batchNormGrad',
  infer: ([x, weight]) => [x, weight, weight],
  // By dy it is linear; of the rest x̂ moves by tx̂, and so do both sums of dx and what is before the bracket.
  tangent: (
    { op, inputs: [x, weight, mean, variance, dy], outputs: [, along, total], attrs },
    [tx, tweight, tmean, tvariance, tdy],
  ) => {
    const { graph } = x;
    const [moved, dweight, dbias] = tdy
      ? graph.add(op, [x, weight, mean, variance, tdy], attrs)
      : [];
    const channels = (v: Value) => reshape(v, [v.size, ...x.shape.slice(2).map(() => 1)]);
    const axes = x.shape.flatMap((_, d) => (d === 1 ? [] : [d]));
    const count = Math.max(1, countOf(x.type));
    const scale = div(fill(graph, [], 1), sqrt(affine(variance, 1, attrs.eps)));
    const normed = mul(sub(x, channels(mean)), channels(scale));
    const tscale = tvariance && mul(affine(mul(scale, square(scale)), -0.5), tvariance);
    const shifted = plus(tx, tmean && neg(channels(tmean)));
    const stretched = tscale && mul(normed, channels(div(tscale, scale)));
    const tnormed = plus(shifted && mul(shifted, channels(scale)), stretched);
    const talong = tnormed && sum(mul(dy, tnormed), axes);
    // Of weight / √(variance + ε).
    const tfactor = plus(tweight && mul(tweight, scale), tscale && mul(weight, tscale));
    const bracket = sub(dy, affine(add(channels(total), mul(normed, channels(along))), 1 / count));
    const inner =
      tnormed &&
      talong &&
      affine(add(mul(tnormed, channels(along)), mul(normed, channels(talong))), -1 / count);
    return [
      plus(
        plus(moved, tfactor && mul(bracket, channels(tfactor))),
        inner && mul(inner, channels(mul(weight, scale))),
      ),
      plus(dweight, talong),
      dbias,
    ];
  },
  kernel: ({ inputs: [x, weight, mean, variance, dy], outputs: [dx, dweight, dbias], attrs }) => {
    const count = Math.max(1, countOf(x));
    const [, channels] = x.shape;
    return () => {
      const scale = Float64Array.from(variance.data, (v) => 1 / Math.sqrt(v + attrs.eps));
      const along = new Float64Array(channels);
      const total = new Float64Array(channels);
      forChannels(x, (i, c) => {
        along[c] += dy.data[i] * (x.data[i] - mean.data[c]) * scale[c];
        total[c] += dy.data[i];
      });
      dweight.data.set(along);
      dbias.data.set(total);
      forChannels(x, (i, c) => {
        const normed = (x.data[i] - mean.data[c]) * scale[c];
        dx.data[i] =
          weight.data[c] * scale[c] * (dy.data[i] - (total[c] + normed * along[c]) / count);
      });
    };
  },
});

/** What batch norm learns, one number for each channel. */
export interface Affine {
  readonly weight: Value;
  readonly bias: Value;
}

/**
 * y = (x − mean)/√(variance + ε) · weight + bias by the batch's own mean and biased variance of every channel of
 * x [n, channels, …], which are put out too.
 */
export function batchNorm(
  x: Value,
  { weight, bias }: Affine,
  eps: number,
): { y: Value; mean: Value; variance: Value } {
  const [y, mean, variance] = x.graph.add(batchNormOp, [x, weight, bias], { eps });
  return { y, mean, variance };
}

/** The same by given statistics. */
export function normaliseBy(
  x: Value,
  { weight, bias }: Affine,
  { mean, variance }: { mean: Value; variance: Value },
  eps: number,
): Value {
  expectImages('batchNorm', x.type, [weight.type]);
  const scale = div(weight, sqrt(affine(variance, 1, eps)));
  const shift = sub(bias, mul(mean, scale));
  const shape: Shape = [x.shape[1], ...x.shape.slice(2).map(() => 1)];
  return add(mul(x, reshape(scale, shape)), reshape(shift, shape));
}

const trackStatisticsOp = defineOp<{ momentum: number; count: number }>({
  name: 'trackStatistics',
  infer: ([status, runningMean, ...others]) => {
    expectType('trackStatistics', 'a status block', status, 'i32', [8]);
    for (const t of others) {
      expectType('trackStatistics', 'statistics', t, 'f32', runningMean.shape);
    }
    return [];
  },
  mutates: true,
  kernel: ({ inputs: [status, runningMean, runningVar, mean, variance], attrs }) => {
    const { momentum, count } = attrs;
    const blend = (running: Numbers, fresh: Numbers, scale: number) => {
      for (let c = 0; c < running.length; c++) {
        running[c] = (1 - momentum) * running[c] + momentum * scale * fresh[c];
      }
    };
    return () => {
      if (standsStill(status) || count === 0) return;
      blend(runningMean.data, mean.data, 1);
      // One value has no unbiased variance.
      if (count > 1) blend(runningVar.data, variance.data, count / (count - 1));
    };
  },
});

/**
 * running ← (1 − momentum) · running + momentum · batch, the variance unbiased: times count/(count − 1) for a batch of
 * `count` values a channel. A single value leaves the variance alone, none both.
 */
export function trackStatistics(
  status: Value,
  running: { mean: Value; variance: Value },
  batch: { mean: Value; variance: Value },
  attrs: { momentum: number; count: number },
): void {
  status.graph.add(
    trackStatisticsOp,
    [status, running.mean, running.variance, batch.mean, batch.variance],
    attrs,
  );
}
