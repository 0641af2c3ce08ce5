import { FlatminError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { type Shape, sameShape, showType, sizeOf } from '../graph/types.ts';
import { add, div, mul, plus, square, sub } from './binary.ts';
import { defineOp, expectNumbers, expectType, graphOf, shapeError } from './define.ts';
import { neg } from './elementwise.ts';
import { fill } from './fill.ts';
import { mean as meanOf, sum } from './reduce.ts';
import { reshape } from './reshape.ts';

type Attrs = Readonly<{
  eps: number;
  /** 1: rows are centred by their mean; 0: of RMS norm, which does not. */
  centred: number;
}>;

const layerNormOp = defineOp<Attrs>({
  name: 'layerNorm',
  infer: ([x, weight, bias]) => {
    expectType('layerNorm', 'rows', x, 'f32', [null, null]);
    expectType('layerNorm', 'a weight', weight, 'f32', [x.shape[1]]);
    if (bias !== undefined) expectType('layerNorm', 'a bias', bias, 'f32', [x.shape[1]]);
    const rows = { dtype: 'f32', shape: [x.shape[0]] } as const;
    return [x, rows, rows];
  },
  runs: ({ inputs: [x] }, input) => (input === 0 ? x.shape[0] : 1),
  gradient: ({ inputs: [x, weight, bias], outputs: [, mean, scale], attrs }, [dy, ...others]) => {
    if (others.some((d) => d !== undefined)) {
      throw new FlatminError(
        'FLATMIN_ARGUMENT',
        'Statistics of rows have no gradient of their own',
      );
    }
    const { centred } = attrs;
    const grads = dy?.graph.add(layerNormGradOp, [x, weight, mean, scale, dy], { centred });
    return bias === undefined ? grads?.slice(0, 2) : grads;
  },
  // y is linear in weight and bias, and the derivative of what they scale by x is symmetric.
  tangent: ({ op, inputs, outputs, attrs }, [dx, dweight, dbias]) => {
    const [x, weight] = inputs;
    const [, mean, scale] = outputs;
    const { graph } = x;
    const filled = (value: number) => fill(graph, weight.shape, value);
    const scaled =
      (dweight ?? dbias) &&
      graph.add(op, [x, dweight ?? filled(0), ...(dbias === undefined ? [] : [dbias])], attrs)[0];
    if (dx === undefined) return [scaled];
    const { centred } = attrs;
    const given = [x, filled(1), mean, scale, dx];
    const [moved] = graph.add(layerNormGradOp, given, { centred });
    const along = meanOf(mul(sub(x, column(mean)), dx), [1]);
    return [
      plus(mul(moved, weight), scaled),
      centred ? meanOf(dx, [1]) : undefined,
      neg(mul(mul(scale, square(scale)), along)),
    ];
  },
  kernel: ({ inputs: [x, weight, bias], outputs: [y, mean, scale], attrs: { eps, centred } }) => {
    const [rows, width] = x.shape;
    const count = Math.max(1, width);
    return () => {
      for (let r = 0; r < rows; r++) {
        const row = x.data.subarray(r * width, (r + 1) * width);
        let sum = 0;
        if (centred) for (const v of row) sum += v;
        const middle = sum / count;
        let squares = 0;
        for (const v of row) squares += (v - middle) ** 2;
        const by = 1 / Math.sqrt(squares / count + eps);
        mean.data[r] = middle;
        scale.data[r] = by;
        row.forEach((v, i) => {
          y.data[r * width + i] = (v - middle) * by * weight.data[i] + (bias?.data[i] ?? 0);
        });
      }
    };
  },
});

/**
 * dx, dweight and dbias; with g = weight · dy and x̂ = (x − mean) · scale
 * dx = scale · (g − mean of g − x̂ · mean of g x̂), where rows are not centred without the mean of g.
 */
const layerNormGradOp = defineOp<{ centred: number }>({
  name: 'layerNormGrad',
  infer: ([x, weight]) => [x, weight, weight],
  // By dy it is linear; of the rest g, x̂ and the scale move.
  tangent: (
    { op, inputs: [x, weight, mean, scale, dy], attrs },
    [tx, tweight, tmean, tscale, tdy],
  ) => {
    const { graph } = x;
    const [moved, dweight, dbias] = tdy ? graph.add(op, [x, weight, mean, scale, tdy], attrs) : [];
    const [turned] = tweight ? graph.add(op, [x, tweight, mean, scale, dy], attrs) : [];
    const by = column(scale);
    const normed = mul(sub(x, column(mean)), by);
    const shifted = plus(tx, tmean && neg(column(tmean)));
    const stretched = tscale && mul(normed, div(column(tscale), by));
    const tnormed = plus(shifted && mul(shifted, by), stretched);
    const g = mul(weight, dy);
    const level = (v: Value) => meanOf(v, [1], { keepDims: true });
    const inner =
      tnormed &&
      neg(mul(by, add(mul(tnormed, level(mul(g, normed))), mul(normed, level(mul(g, tnormed))))));
    const bracket = () => {
      const rest = sub(g, mul(normed, level(mul(g, normed))));
      return attrs.centred ? sub(rest, level(g)) : rest;
    };
    return [
      plus(plus(moved, turned), plus(inner, tscale && mul(column(tscale), bracket()))),
      plus(dweight, tnormed && sum(mul(dy, tnormed), [0])),
      dbias,
    ];
  },
  kernel: ({ inputs: [x, weight, mean, scale, dy], outputs: [dx, dweight, dbias], attrs }) => {
    const [rows, width] = x.shape;
    const count = Math.max(1, width);
    return () => {
      const along = new Float64Array(width);
      const total = new Float64Array(width);
      for (let r = 0; r < rows; r++) {
        const normed = (i: number): number =>
          (x.data[r * width + i] - mean.data[r]) * scale.data[r];
        let level = 0;
        let slope = 0;
        for (let i = 0; i < width; i++) {
          const d = dy.data[r * width + i];
          along[i] += d * normed(i);
          total[i] += d;
          level += weight.data[i] * d;
          slope += weight.data[i] * d * normed(i);
        }
        for (let i = 0; i < width; i++) {
          const g = weight.data[i] * dy.data[r * width + i];
          const centre = attrs.centred ? level / count : 0;
          dx.data[r * width + i] = scale.data[r] * (g - centre - (normed(i) * slope) / count);
        }
      }
      dweight.data.set(along);
      dbias.data.set(total);
    };
  },
});

/** A number for each row. */
const column = (x: Value): Value => reshape(x, [x.size, 1]);

/** By the last dimensions of x, those of the weight. */
function normed(
  name: string,
  x: Value,
  [weight, bias]: readonly [Value, Value | undefined],
  attrs: Attrs,
): Value {
  const graph = graphOf(name, x, weight, bias ?? weight);
  expectNumbers(name, { eps: attrs.eps });
  const last: Shape = x.shape.slice(Math.max(0, x.shape.length - weight.shape.length));
  if (weight.shape.length === 0 || !sameShape(last, weight.shape)) {
    throw shapeError(
      `${name} expects a weight with the last dimensions of x, got ${showType(weight.type)} for ${showType(x.type)}`,
    );
  }
  const width = sizeOf(weight.shape);
  const flat = [weight, bias].flatMap((v) => (v === undefined ? [] : [reshape(v, [width])]));
  const rows = sizeOf(x.shape.slice(0, x.shape.length - weight.shape.length));
  const [y] = graph.add(layerNormOp, [reshape(x, [rows, width]), ...flat], attrs);
  return reshape(y, x.shape);
}

/**
 * Layer normalisation (Ba et al. 2016): (x − mean)/√(variance + ε) · weight + bias with mean and biased variance over the
 * last dimensions, those of the weight; the bias, if any, has its shape. ε is 1e-5 by default.
 */
export const layerNorm = (x: Value, weight: Value, bias?: Value, eps = 1e-5): Value =>
  normed('layerNorm', x, [weight, bias], { eps, centred: 1 });

/**
 * Normalisation by the root of the mean square (Zhang & Sennrich 2019): x/√(mean of x² + ε) · weight over the last
 * dimensions, those of the weight. ε is 2⁻²³ by default, as PyTorch's.
 */
export const rmsNorm = (x: Value, weight: Value, eps = 2 ** -23): Value =>
  normed('rmsNorm', x, [weight, undefined], { eps, centred: 0 });
