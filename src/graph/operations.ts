import type { Graph, Node } from './graph.ts';

/**
 * About how many operations a step of a trace takes at most, from the sizes of operands alone. A product of matrices with
 * a, b and c elements takes √(abc) multiplications; what works element by element, one each. All else counts as a product of
 * its three largest operands: square ones take n³, as decompositions do but for a factor.
 */
export const operationsOf = ({ nodes }: Graph): number =>
  nodes.reduce((sum, node) => sum + operations(node), 0);

function operations(node: Node): number {
  const { op, inputs, outputs } = node;
  if (op.alias) return 0;
  const sizes = [...inputs, ...outputs].map(({ size }) => size).sort((a, b) => b - a);
  const [a = 0, b = a, c = b] = sizes;
  const apart = inputs.length > 0 && op.runs?.(node, 0) === inputs[0].size;
  return apart ? a : Math.sqrt(a * b * c);
}
