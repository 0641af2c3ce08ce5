import type { Value } from '../graph/graph.ts';
import { keep } from '../ops/assign.ts';
import { add, div, greaterEqual, mul, sub } from '../ops/binary.ts';
import { affine } from '../ops/elementwise.ts';
import { fill } from '../ops/fill.ts';
import { sum } from '../ops/reduce.ts';
import type { OptimizerTrace, Pass } from '../step/context.ts';

const ADAPT_EVERY = 5;
const OMEGA = (19 / 20) ** ADAPT_EVERY;

/** λd by the reduction ratio of the step from `before` to the present parameters. */
export function adapt(
  t: OptimizerTrace,
  pass: Pass,
  {
    before,
    damping,
    weightDecay,
    promised,
  }: {
    before: readonly Value[];
    damping: Value;
    weightDecay: number;
    /** M of the step, where it is known. */
    promised: Value | undefined;
  },
): void {
  const { graph, status } = t;
  const due = (step: number) => step % ADAPT_EVERY === 0;
  graph.inSection({ name: 'damping', due }, () => {
    const after = t.forward();
    if (pass.curvature === undefined || pass.loss === undefined) return;
    const delta = t.params.map(({ value }, i) => sub(value, before[i]));
    const dot = (xs: readonly Value[]) => xs.map((x, i) => sum(mul(x, delta[i]))).reduce(add);
    const squares = dot(delta);
    const decay = affine(dot(before), weightDecay);
    const half = (x: Value) => affine(x, 0.5);
    const gained = add(sub(after.loss, pass.loss), add(decay, affine(squares, 0.5 * weightDecay)));
    const curvature = add(pass.curvature(after), mul(squares, affine(damping, 1, weightDecay)));
    const model = promised ?? add(add(dot(pass.grads), decay), half(curvature));
    const ratio = div(gained, model);
    // 1 or 0; what is not a number is not at least 1/4.
    const low = affine(greaterEqual(ratio, fill(graph, [], 1 / 4)), -1, 1);
    const middle = greaterEqual(fill(graph, [], 3 / 4), ratio);
    const high = mul(affine(middle, -1, 1), affine(low, -1, 1));
    const factor = add(affine(high, OMEGA - 1, 1), affine(low, 1 / OMEGA - 1));
    keep(status, [damping], [mul(damping, factor)]);
  });
}
