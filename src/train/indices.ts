import { type ErrorCode, FlatminError } from '../errors.ts';
import type { Graph, Index, Value } from '../graph/graph.ts';
import type { Numbers } from '../graph/kernel.ts';
import { type Shape, sizeOf } from '../graph/types.ts';

/** Numbers that a graph takes rows by: class indices, tokens. */
export interface Rows {
  /** Of the buffer that they stand in. */
  readonly key: string;
  readonly data: Numbers;
  /** Of one example. */
  readonly shape: Shape;
  /** Whose they are, for messages: `train data`. */
  readonly whose: string;
  readonly code: ErrorCode;
}

/** What the ops of a graph take rows by, and the buffers that these numbers stand in. */
export type Indices = readonly (Index & { readonly key: string; readonly layer: string })[];

/** Where several ops take the same rows, the first. */
export function indicesOf(graph: Graph): Indices {
  const found = new Map<string, Indices[number]>();
  for (const node of graph.nodes) {
    const index = node.op.indexes?.(node);
    const key = index === undefined ? undefined : bufferOf(index.by);
    if (index === undefined || key === undefined) continue;
    const same = `${key} ${index.least} ${index.count}`;
    if (!found.has(same)) found.set(same, { ...index, key, layer: node.layer });
  }
  return [...found.values()];
}

/** Throws where a number of `rows` is outside what an op takes as an index. */
export function checkIndices(indices: Indices, { key, data, shape, whose, code }: Rows): void {
  for (const { what, least, count, of, layer: path, key: by } of indices) {
    if (by !== key) continue;
    const at = data.findIndex((i) => i < least || i >= count);
    if (at === -1) continue;
    const width = sizeOf(shape);
    const place = width > 1 ? `, number ${at % width} there,` : '';
    const padding = least === -1 ? ', or −1 for padding' : '';
    const layer = path === '' ? '' : ` in layer "${path}"`;
    throw new FlatminError(
      code,
      `${whose}: ${what} ${data[at]} of example ${Math.floor(at / width)}${place} is outside 0 … ${count - 1}, the ${count} ${of}${layer}${padding}`,
    );
  }
}

/** The stored or bound buffer that a value is, or whose rows it has. */
function bufferOf(value: Value): string | undefined {
  let from = value;
  while (from.node?.op.alias || from.node?.op.name === 'batchRows') [from] = from.node.inputs;
  return from.place === 'arena' ? undefined : from.key;
}
