/** aᵀFb of a pass through every kind of layer, against central differences of its outputs in doubles. */
import { describe, expect, it } from 'vitest';
import { pushforward } from '../../src/autodiff/gradients.ts';
import { JsStore } from '../../src/backend/js/store.ts';
import { Program } from '../../src/backend/program.ts';
import { compile } from '../../src/graph/compile.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import type { Numbers } from '../../src/graph/kernel.ts';
import type { Shape } from '../../src/graph/types.ts';
import {
  avgPool2d,
  batchNorm,
  conv2d,
  crossEntropy,
  dropout,
  flatten,
  type Layer,
  type Loss,
  linear,
  maxPool2d,
  ops,
  relu,
  sequential,
  sigmoid,
  squaredError,
  tanh,
  tokenCrossEntropy,
} from '../../src/index.ts';
import { describeModel, parameterKey, Scope } from '../../src/nn/layer.ts';
import { assign } from '../../src/ops/assign.ts';
import { sampleNormal } from '../../src/ops/sample_normal.ts';
import { uniforms } from '../../src/random/philox.ts';
import { passes } from '../../src/step/pass.ts';

const [ROWS, OUT] = [5, 3];
const IMAGE = [2, 7, 8];
/** Of which `tokenCrossEntropy` counts three. */
const LABELS = [0, -1, 1, 2, -1];
const MOMENT = { step: 3, epoch: 0, seed: 5, offset: 0 };

const everything = (): Layer =>
  sequential({
    conv: conv2d(4, [3, 2], { padding: [1, 0] }),
    norm: batchNorm(),
    act1: tanh(),
    pool1: maxPool2d(2),
    grouped: conv2d(4, 2, { groups: 2, bias: false }),
    act2: sigmoid(),
    pool2: avgPool2d(2, { stride: 1 }),
    drop: dropout(0.3),
    flat: flatten(),
    hidden: linear(6),
    act3: relu(),
    soft: (x) => ops.mul(ops.softmax(x), ops.add(ops.max(x, [1], { keepDims: true }), x)),
    head: linear(OUT),
  });

const drawn = (n: number, seed: number): Float64Array =>
  Float64Array.from(uniforms({ seed, stream: 0, step: 0 }, n), (u) => 2 * u - 1);
type Cuts = readonly (readonly [number, number])[];
const sizeOf = (shape: readonly number[]) => shape.reduce((n, d) => n * d, 1);

/** Values of what `trace` makes of buffers that `read` fills. */
function evaluate(
  trace: (graph: Graph) => readonly Value[],
  read: (key: string) => Numbers | undefined,
): Float64Array[] {
  const graph = new Graph();
  const values = trace(graph);
  const kept = values.map((value, i) => graph.stored(`kept/${i}`, value.type));
  assign(kept, values);
  const store = new JsStore({ float64: true });
  const program = new Program(compile(graph), store);
  for (const { key } of graph.buffers) {
    const data = read(key);
    if (data !== undefined) store.write(key, data);
  }
  program.runSync([MOMENT]);
  return kept.map(({ key }) => Float64Array.from(store.read(key)));
}

const input = { dtype: 'f32' as const, shape: [ROWS, ...IMAGE] };
const { params: specs } = describeModel(everything(), input);
const start = new Map(specs.map(({ name, shape }, i) => [name, drawn(sizeOf(shape), 10 + i)]));
const directions = [0, 1].map((d) =>
  specs.map(({ shape }, i) => drawn(sizeOf(shape), 100 * (d + 1) + i)),
);
const images = drawn(ROWS * sizeOf(IMAGE), 1);
const width = sizeOf(IMAGE);

/** One part of the batch: rows [begin, end). */
const part = (begin: number, end: number, values: boolean) => ({
  rows: end - begin,
  trace: (graph: Graph) => {
    const rows = end - begin;
    return {
      inputs: graph.stored(`inputs/${begin}/${end}`, { dtype: 'f32', shape: [rows, ...IMAGE] }),
      targets: graph.stored(
        `targets/${begin}/${end}`,
        values ? { dtype: 'f32', shape: [rows, OUT] } : { dtype: 'i32', shape: [rows] },
      ),
    };
  },
});

/** Targets that are values stay 0: the Fisher has nothing of them. */
function readFrom(params: ReadonlyMap<string, Float64Array>, values = false) {
  return (key: string): Numbers | undefined => {
    const [kind, begin, end] = key.split('/');
    if (kind === 'inputs') return images.slice(Number(begin) * width, Number(end) * width);
    if (kind === 'targets' && !values)
      return Int32Array.from(LABELS.slice(Number(begin), Number(end)));
    if (kind === 'direction') return directions[Number(begin)][Number(end)];
    return params.get(key.slice(parameterKey('').length));
  };
}

function products(loss: Loss, cuts: Cuts): number[] {
  const values = loss.targets === 'values';
  const found = evaluate(
    (graph) => {
      const stored = (key: string, shape: Shape) => graph.stored(key, { dtype: 'f32', shape });
      const params = specs.map(({ name, shape }, index) => ({
        name,
        value: stored(parameterKey(name), shape),
        index,
      }));
      const parts = cuts.map(([begin, end]) => part(begin, end, values));
      const { gradient } = passes(graph, params, { model: everything(), loss, parts });
      const tangents = directions.map((_, d) =>
        specs.map(({ shape }, i) => stored(`direction/${d}/${i}`, shape)),
      );
      const wrt = params.map(({ value }) => value);
      return gradient().fisherProducts(wrt, tangents);
    },
    readFrom(start, values),
  );
  return found.map(([x]) => x);
}

const MOVE = 0.05;

/** δᵀFδ of a pass for δ = MOVE · direction 0, from the change of the outputs. */
function curvature(loss: Loss, cuts: Cuts): number {
  const values = loss.targets === 'values';
  const [[found]] = evaluate(
    (graph) => {
      const params = specs.map(({ name, shape }, index) => ({
        name,
        value: graph.stored(parameterKey(name), { dtype: 'f32', shape }),
        index,
      }));
      const parts = cuts.map(([begin, end]) => part(begin, end, values));
      const { gradient, forward } = passes(graph, params, { model: everything(), loss, parts });
      const pass = gradient();
      const moved = params.map(({ value }, i) => {
        const by = graph.stored(`direction/0/${i}`, value.type);
        return ops.add(value, ops.affine(by, MOVE));
      });
      assign(
        params.map(({ value }) => value),
        moved,
      );
      return [pass.curvature(forward())];
    },
    readFrom(start, values),
  );
  return found;
}

/** Outputs of rows [begin, end) after a move along direction `d`, and the first random stream of the next part. */
function outputs(begin: number, end: number, d: number, h: number, firstStream: number) {
  const moved = new Map(
    specs.map(({ name }, i) => [
      name,
      (start.get(name) as Float64Array).map((x, k) => x + h * directions[d][i][k]),
    ]),
  );
  let stream = firstStream;
  const [y] = evaluate((graph) => {
    const scope = new Scope(graph, true, firstStream);
    const { inputs } = part(begin, end, false).trace(graph);
    const out = everything()(inputs, scope);
    stream = scope.nextStream;
    return [out];
  }, readFrom(moved));
  return { y, stream };
}

/** aᵀFb by differences of the outputs, or of a and b themselves where `moved` says how far they went. */
function byDifferences(loss: Loss, cuts: Cuts, moved?: number): number[] {
  const h = 1e-5;
  const totals = [0, 0, 0];
  const shares = LABELS.map((label) =>
    loss.weights === undefined ? 1 / ROWS : Number(label !== -1) / 3,
  );
  let stream = 0;
  for (const [begin, end] of cuts) {
    const middle = outputs(begin, end, 0, 0, stream);
    const slopes = [0, 1].map((d) => {
      const above = outputs(begin, end, d, h, stream).y;
      const below = outputs(begin, end, d, -h, stream).y;
      if (moved === undefined) return above.map((x, k) => (x - below[k]) / (2 * h));
      return outputs(begin, end, d, moved, stream).y.map((x, k) => x - middle.y[k]);
    });
    [
      [0, 0],
      [0, 1],
      [1, 1],
    ].forEach(([a, b], which) => {
      for (let r = 0; r < end - begin; r++) {
        const row = (x: Float64Array) => [...x.subarray(r * OUT, (r + 1) * OUT)];
        const exponents = row(middle.y).map(Math.exp);
        const total = exponents.reduce((s, x) => s + x);
        const p = loss.targets === 'values' ? undefined : exponents.map((x) => x / total);
        const [u, v] = [row(slopes[a]), row(slopes[b])];
        const mean = (x: readonly number[]) => x.reduce((s, y, c) => s + (p?.[c] ?? 1) * y, 0);
        const both = mean(u.map((x, c) => x * v[c]));
        totals[which] += shares[begin + r] * (both - (p === undefined ? 0 : mean(u) * mean(v)));
      }
    });
    stream = middle.stream;
  }
  return totals;
}

describe('fisherProducts', () => {
  const CUTS = {
    'a whole batch': [[0, 5]],
    micro: [
      [0, 3],
      [3, 5],
    ],
  } as const;
  for (const loss of [crossEntropy(), tokenCrossEntropy(), squaredError()]) {
    it.each(Object.entries(CUTS))(`of ${loss.name} over %s`, (_, cuts) => {
      const want = byDifferences(loss, cuts);
      products(loss, cuts).forEach((x, i) => {
        expect(Math.abs(x / want[i] - 1), `${x}, not ${want[i]}`).toBeLessThan(1e-6);
      });
    });
  }

  it.each(Object.entries(CUTS))(
    'are what the change of outputs has for a curvature, over %s',
    (_, cuts) => {
      for (const loss of [crossEntropy(), tokenCrossEntropy(), squaredError()]) {
        const [want] = byDifferences(loss, cuts, MOVE);
        expect(Math.abs(curvature(loss, cuts) / want - 1), loss.name).toBeLessThan(1e-6);
      }
    },
  );

  it('names an op that has no tangent', () => {
    const graph = new Graph();
    const x = graph.stored('x', { dtype: 'f32', shape: [2] });
    const trace = () => pushforward(ops.tanh(sampleNormal(x)), [x], [x]);
    expect(trace).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: Op "sampleNormal" has no tangent]`,
    );
  });

  it('is 0 where nothing depends on what moves', () => {
    const [dy] = evaluate(
      (graph) => {
        const [x, z] = ['x', 'z'].map((key) => graph.stored(key, { dtype: 'f32', shape: [2] }));
        return [pushforward(ops.tanh(x), [z], [z])];
      },
      () => Float64Array.of(1, 2),
    );
    expect([...dy]).toEqual([0, 0]);
  });
});
