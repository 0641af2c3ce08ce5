import { FlatminError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { add } from '../ops/binary.ts';
import { fill } from '../ops/fill.ts';

/**
 * Traces the gradients of a scalar with respect to `wrt` (reverse mode), one for each, shaped alike;
 * `undefined` where the scalar does not depend on the value.
 */
export function gradients(loss: Value, wrt: readonly Value[]): (Value | undefined)[] {
  if (loss.shape.length !== 0 || loss.dtype !== 'f32') {
    throw new FlatminError(
      'FLATMIN_SHAPE',
      `gradients() expects a scalar loss, got ${loss.dtype}[${loss.shape.join(', ')}]. Reduce it with ops.mean or ops.sum.`,
    );
  }
  return pullback(loss, fill(loss.graph, [], 1), wrt);
}

/** Traces dyᵀ ∂y/∂x for every x of `wrt` (reverse mode). */
export function pullback(y: Value, dy: Value, wrt: readonly Value[]): (Value | undefined)[] {
  // What was traced after y has no part in it; pulling back adds to the graph.
  const nodes =
    y.node === undefined ? [] : y.graph.nodes.slice(0, y.graph.nodes.indexOf(y.node) + 1);
  const dependent = new Set<Value>(wrt);
  for (const node of nodes) {
    if (node.inputs.some((x) => dependent.has(x))) for (const y of node.outputs) dependent.add(y);
  }
  const grads = new Map<Value, Value>([[y, dy]]);
  for (const node of nodes.reverse()) {
    const dys = node.outputs.map((y) => grads.get(y));
    if (dys.every((dy) => dy === undefined) || !node.inputs.some((x) => dependent.has(x))) continue;
    if (node.op.gradient === undefined) {
      throw new FlatminError('FLATMIN_ARGUMENT', `Op "${node.op.name}" has no gradient`);
    }
    const dxs = node.op.gradient(node, dys) ?? [];
    node.inputs.forEach((x, i) => {
      const dx = dxs[i];
      if (dx === undefined || !dependent.has(x)) return;
      const sum = grads.get(x);
      grads.set(x, sum === undefined ? dx : add(sum, dx));
    });
  }
  return wrt.map((x) => grads.get(x));
}

/** Traces Σ ∂y/∂x dx over the x of `wrt` and their tangents dx (forward mode), by the values that y was made of. */
export const pushforward = (y: Value, wrt: readonly Value[], dxs: readonly Value[]): Value =>
  pushforwards([y], wrt, dxs)[0] ?? fill(y.graph, y.shape, 0);

/** The same of several values of one graph; `undefined` where one depends on none of `wrt`. */
export function pushforwards(
  ys: readonly Value[],
  wrt: readonly Value[],
  dxs: readonly Value[],
): (Value | undefined)[] {
  const traced = ys.length === 0 ? [] : [...ys[0].graph.nodes];
  const reaching = new Set<Value>(ys);
  for (const node of [...traced].reverse()) {
    if (node.outputs.some((out) => reaching.has(out))) for (const x of node.inputs) reaching.add(x);
  }
  const tangents = new Map<Value, Value | undefined>(wrt.map((x, i) => [x, dxs[i]]));
  for (const node of traced) {
    const given = node.inputs.map((x) => tangents.get(x));
    if (given.every((dx) => dx === undefined)) continue;
    if (!node.outputs.some((out) => reaching.has(out))) continue;
    if (node.op.tangent === undefined) {
      throw new FlatminError('FLATMIN_ARGUMENT', `Op "${node.op.name}" has no tangent`);
    }
    const dys = node.op.tangent(node, given) ?? [];
    node.outputs.forEach((out, i) => {
      tangents.set(out, dys[i]);
    });
  }
  return ys.map((y) => tangents.get(y));
}
