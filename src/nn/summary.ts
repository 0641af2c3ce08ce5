import { checkNames } from '../arguments.ts';
import { Graph, type Node } from '../graph/graph.ts';
import { type Shape, sizeOf } from '../graph/types.ts';
import { grouped, shown } from '../shown.ts';
import { describeModel, type Layer, type ParameterSpec, Scope } from './layer.ts';

/** A layer of a model, after those that it stands in. */
export interface LayerSummary {
  /** Path of the layer, as its parameters begin: `layer1.0.conv1`. */
  readonly name: string;
  /** What it is, `conv2d(6, 5×5)`; empty for a function of one's own. */
  readonly layer: string;
  /** Of its output for one example. */
  readonly shape: Shape;
  /** Numbers that are trained and that no layer within it has. */
  readonly parameters: number;
  /** In matrix products and convolutions of its own, for one example. */
  readonly multiplications: number;
}

/** What `summary` tells of a model. */
export interface ModelSummary {
  readonly layers: readonly LayerSummary[];
  /** Numbers that are trained. */
  readonly parameters: number;
  /** Of memory that the parameters and what else the model keeps take, as float32. */
  readonly bytes: number;
  /** In matrix products and convolutions, for one example going forward. */
  readonly multiplications: number;
}

/** One example's shape, or for tokens and bytes its dtype too. */
export type ExampleForm =
  | Shape
  | {
      /** Of one example, as [1, 28, 28]. */
      readonly shape: Shape;
      /** `i32` for tokens, `u8` for bytes. Default `f32`. */
      readonly dtype?: 'f32' | 'i32' | 'u8';
    };

/**
 * What a model is for examples of a shape, `[1, 28, 28]` or `{ shape: [12], dtype: 'i32' }` for tokens: its layers with their
 * outputs' shapes, parameters and multiplications. `console.log` shows it as a table. `FLATMIN_SHAPE` where a layer does not
 * take what comes to it.
 */
export function summary(model: Layer, input: ExampleForm): ModelSummary {
  const form = Array.isArray(input) ? { shape: input } : (input as { shape: Shape });
  checkNames<{ shape: Shape; dtype?: string }>('summary', form, { shape: true, dtype: true });
  const { shape, dtype = 'f32' } = form as { shape: Shape; dtype?: 'f32' };
  const example = { dtype, shape: Array.isArray(shape) ? [1, ...shape] : shape };
  const { params, buffers, output } = describeModel(model, example);
  const graph = new Graph();
  const scope = new Scope(graph, false);
  model(graph.stored('input', example), scope);
  const { calls } = scope;
  const whole = { name: '', layer: model.label ?? '', output, from: 0, to: graph.nodes.length };
  const layers = (calls.length === 0 ? [whole] : calls).map(({ name, layer, output, from, to }) => {
    const within = calls.filter((call) => call.name.startsWith(`${name}.`));
    const inner = within.reduce(
      (sum, call) => sum.fill(1, call.from - from, call.to - from),
      new Uint8Array(to - from),
    );
    const nodes = graph.nodes.slice(from, to).filter((_, i) => inner[i] === 0);
    const begins = name === '' ? '' : `${name}.`;
    const own = params.filter(
      (param) =>
        param.name.startsWith(begins) &&
        !within.some((call) => param.name.startsWith(`${call.name}.`)),
    );
    return {
      name,
      layer,
      shape: output.shape.slice(1),
      parameters: numbersIn(own),
      multiplications: nodes.reduce((sum, node) => sum + multiplications(node), 0),
    };
  });
  const parameters = numbersIn(params);
  const result = {
    layers,
    parameters,
    bytes: 4 * (parameters + numbersIn(buffers)),
    multiplications: graph.nodes.reduce((sum, node) => sum + multiplications(node), 0),
  };
  return shown(result, () => tableOf(result));
}

const numbersIn = (specs: readonly ParameterSpec[]): number =>
  specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);

/** Of a product with weights one for each weight and row, of other products of matrices √(abc) of their sizes. */
function multiplications(node: Node): number {
  const tapped = node.op.tap?.(node);
  const taps = tapped === undefined ? [] : Array.isArray(tapped) ? tapped : [tapped];
  if (taps.length === 0) {
    if (!node.op.product) return 0;
    return Math.sqrt(node.inputs[0].size * node.inputs[1].size * node.outputs[0].size);
  }
  return taps.reduce((sum, { kind, preActivation, weight }) => {
    const each = kind === 'embedding' ? 0 : weight.size / weight.shape[0];
    return sum + preActivation.size * each;
  }, 0);
}

const HEAD = ['layer', '', 'output', 'parameters', 'multiplications'];

function tableOf({ layers, parameters, bytes, multiplications }: ModelSummary): string {
  const cells = layers.map((layer) => [
    layer.name.replace(/[^.]*\./g, '  '),
    layer.layer,
    `[${layer.shape.join(', ')}]`,
    layer.parameters === 0 ? '' : grouped(layer.parameters),
    layer.multiplications === 0 ? '' : grouped(layer.multiplications),
  ]);
  const total = ['total', '', '', grouped(parameters), grouped(multiplications)];
  const all = [HEAD, ...cells, total];
  const widths = HEAD.map((_, c) => Math.max(...all.map((row) => row[c].length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, c) => (c < 3 ? cell.padEnd(widths[c]) : cell.padStart(widths[c])))
      .join('  ')
      .trimEnd();
  const rule = '─'.repeat(widths.reduce((sum, width) => sum + width + 2, -2));
  const size = bytes < 1e5 ? `${grouped(bytes)} bytes` : `${(bytes / 1e6).toFixed(1)} MB`;
  return [line(HEAD), rule, ...cells.map(line), rule, line(total), `${size} as float32`].join('\n');
}
