import { isFloat32Array } from '../arguments.ts';
import type { StateDict } from '../step/state-dict.ts';

/**
 * Where a state dict of PyTorch names the same tensors otherwise: an embedding's table is its `weight`, and a recurrent
 * layer has two biases that only ever act as their sum. Batch norm counts batches, which no result depends on. GPT-2's
 * tensors begin with `transformer.` beside its head, which is the tokens' table; as published it has weights of linear layers
 * transposed, and the mask of its attention.
 */

const TABLE = /(^|\.)embedding$/;
const BIAS = /^(.*\.)?bias(_l\d+(?:_reverse)?)$/;
export const COUNTER = /(^|\.)num_batches_tracked$/;

type Entry = readonly [string, StateDict[string]];

/** The state under flatmin's names, as far as tensors `wanted` are not in it but have PyTorch's names there. */
export function fromPyTorch(state: StateDict, wanted: Iterable<string>): StateDict {
  const names = new Set(wanted);
  const left = new Map<string, StateDict[string]>(
    Object.entries(names.has('wte.weight') ? fromGpt2(state) : state),
  );
  const made: Entry[] = [];
  const take = (...parts: string[]) => {
    const found = parts.filter((part) => left.has(part) && !names.has(part));
    if (found.length < parts.length) return undefined;
    return parts.map((part) => left.get(part) as StateDict[string]);
  };
  for (const name of names) {
    if (left.has(name)) continue;
    const [, layer = '', suffix] = BIAS.exec(name) ?? [];
    const parts =
      suffix === undefined
        ? [name.replace(TABLE, '$1weight')]
        : [`${layer}bias_ih${suffix}`, `${layer}bias_hh${suffix}`];
    const tensors = take(...parts);
    const tensor = tensors && (tensors.length === 1 ? tensors[0] : sumOf(tensors[0], tensors[1]));
    if (tensor === undefined) continue;
    for (const part of parts) left.delete(part);
    made.push([name, tensor]);
  }
  for (const name of left.keys()) if (COUNTER.test(name) && !names.has(name)) left.delete(name);
  return Object.fromEntries([...left, ...made]);
}

const GPT2_MASK = /\.attn\.(masked_)?bias$/;
const GPT2_LINEAR = /\.(c_attn|c_proj|c_fc)\.weight$/;

/** The names of GPT-2's state dict without its head and masks, weights [out, in]. */
function fromGpt2(state: StateDict): StateDict {
  const tensors = Object.entries(state)
    .map(([name, tensor]): Entry => [name.replace(/^transformer\./, ''), tensor])
    .filter(([name]) => name !== 'lm_head.weight' && !GPT2_MASK.test(name));
  const published = tensors.some(
    ([name, tensor]) =>
      name.endsWith('.c_attn.weight') &&
      tensor?.shape?.length === 2 &&
      tensor.shape[1] === 3 * tensor.shape[0],
  );
  return Object.fromEntries(
    tensors.map(
      ([name, tensor]): Entry => [
        name,
        published && GPT2_LINEAR.test(name) ? transposed(tensor) : tensor,
      ],
    ),
  );
}

function transposed(tensor: StateDict[string]): StateDict[string] {
  const { data, shape } = tensor;
  if (!isFloat32Array(data) || shape.length !== 2) return tensor;
  const [rows, columns] = shape;
  const turned = data.map((_, i) => data[(i % rows) * columns + Math.floor(i / rows)]);
  return { ...tensor, data: turned, shape: [columns, rows] };
}

/** The state under PyTorch's names; of two biases the first is flatmin's one, and the second is 0. */
export const toPyTorch = (state: StateDict): StateDict =>
  Object.fromEntries(
    Object.entries(state).flatMap(([name, tensor]): Entry[] => {
      const [, layer = '', suffix] = BIAS.exec(name) ?? [];
      const table = name.replace(TABLE, '$1weight');
      if (suffix === undefined) return [[Object.hasOwn(state, table) ? name : table, tensor]];
      return [
        [`${layer}bias_ih${suffix}`, tensor],
        [`${layer}bias_hh${suffix}`, { ...tensor, data: new Float32Array(tensor.data.length) }],
      ];
    }),
  );

function sumOf(a: StateDict[string], b: StateDict[string]): StateDict[string] | undefined {
  const [x, y] = [a?.data, b?.data];
  if (!isFloat32Array(x) || !isFloat32Array(y) || x.length !== y.length) return undefined;
  return { ...a, data: x.map((value, i) => value + y[i]) };
}
