import { createHash } from 'node:crypto';
import type { AnyDataset } from '../data/dataset.ts';
import { Graph, type Node, type Value } from '../graph/graph.ts';
import type { Numbers } from '../graph/kernel.ts';
import { showType } from '../graph/types.ts';
import { type Layer, Scope } from '../nn/layer.ts';
import type { Loss } from '../nn/loss.ts';
import { massOf } from '../nn/mass.ts';
import { statusBlock } from '../ops/status.ts';
import type { Part } from '../step/pass.ts';
import { targetsOf } from './source.ts';

/** What a dataset holds: its numbers by their SHA-256. */
export function describeData(dataset: AnyDataset): object {
  const { count, inputs, normalise, lengths, weights } = dataset;
  const targets = targetsOf(dataset);
  return {
    count,
    inputs: `${inputs.shape.join('×')} ${digest(inputs.data)}`,
    targets: `${targets.shape.join('×')} ${digest(targets.data)}`,
    normalise,
    lengths,
    ...(weights && { weights: digest(weights) }),
  };
}

/** The ops of a model and its loss as they train, one after the other. */
export function describeOps(model: Layer, loss: Loss, batch: Part['trace']): string[] {
  const graph = new Graph();
  const scope = new Scope(graph, true);
  const { inputs, ...judged } = batch(graph);
  const output = model(inputs, scope);
  loss.trace(output, judged.targets, massOf(loss, judged, inputs.shape[0]).shares);
  for (const trace of scope.afterwards()) trace(statusBlock(graph));
  return describeNodes(graph.nodes);
}

/** A step as it was traced, by the SHA-256 of its ops; what stops or skips it is left out. */
export const fingerprintOf = (nodes: readonly Node[]): string =>
  sha256(describeNodes(nodes.filter(({ op }) => op.name !== 'checkFinite')).join('\n'));

/** Each op with its attributes, the buffers and the earlier ops that it reads, and the types it puts out. */
function describeNodes(nodes: readonly Node[]): string[] {
  const places = new Map<Value, string>();
  const nameOf = (value: Value) => places.get(value) ?? value.key;
  return nodes.map(({ op, inputs, outputs, attrs, section }, at) => {
    outputs.forEach((value, i) => {
      places.set(value, `%${at}${i === 0 ? '' : `.${i}`}`);
    });
    const given = Object.entries(attrs).map(([name, value]) => `${name}=${value}`);
    const reads = [...inputs.map(nameOf), ...given].join(', ');
    const makes = outputs.map(({ type }) => showType(type)).join(', ');
    return `${section === 0 ? '' : `in ${section}: `}${op.name}(${reads})${makes && ` → ${makes}`}`;
  });
}

const digest = (data: Numbers): string =>
  `${data.constructor.name} ${sha256(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))}`;

/** Its first 64 bits, which a reader can still compare. */
const sha256 = (data: string | Uint8Array): string =>
  createHash('sha256').update(data).digest('hex').slice(0, 16);
