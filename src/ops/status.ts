import { inspect } from 'node:util';
import { FlatminError } from '../errors.ts';
import type { Graph, Value } from '../graph/graph.ts';
import type { Operand } from '../graph/kernel.ts';
import { defineOp, expectType } from './define.ts';

/** Words of the status block, one i32 buffer that every update reads: it stands still when either of the first two is set. */
export const STATUS = {
  /**
   * What ended the run: 0 nothing, 1 a gradient not finite, 2 a root that keeps failing, 3 a statistic not finite, 4 a
   * gradient too large for the method's state, 5 a loss not finite, 6 a polar factor that does not converge.
   */
  stop: 0,
  /** 1 while the current step is skipped. */
  skip: 1,
  /** Index of the tensor at fault. */
  tensor: 2,
  /** The step at fault. */
  step: 3,
  /** Steps skipped so far. */
  skipped: 4,
  /** Matrix roots that failed so far. */
  rootFailures: 5,
} as const;

export const STATUS_KEY = 'status';

export const statusBlock = (graph: Graph): Value =>
  graph.stored(STATUS_KEY, { dtype: 'i32', shape: [8] });

/** True when updates must leave everything as it is. */
export const standsStill = (status: Operand): boolean =>
  status.data[STATUS.stop] !== 0 || status.data[STATUS.skip] !== 0;

/** Ends the run, unless it has ended already. */
export function stopRun(status: Operand, reason: 2 | 3 | 6, tensor: number, step: number): void {
  if (status.data[STATUS.stop] !== 0) return;
  status.data[STATUS.stop] = reason;
  status.data[STATUS.tensor] = tensor;
  status.data[STATUS.step] = step;
}

const checkFiniteOp = defineOp<{
  skip: number;
  again: number;
  stepSlot: number;
  /** Largest size of an element that is let through, one for each tensor. */
  limits: readonly number[];
  /** The last of the tensors that are losses. */
  losses: number;
}>({
  name: 'checkFinite',
  infer: ([status, ...tensors]) => {
    expectType('checkFinite', 'a status block', status, 'i32', [8]);
    for (const t of tensors) expectType('checkFinite', 'tensors', t, 'f32');
    return [];
  },
  mutates: true,
  kernel:
    ({ inputs: [status, ...tensors], attrs: { skip, again, stepSlot, limits, losses } }) =>
    (row) => {
      if (!again) status.data[STATUS.skip] = 0;
      if (standsStill(status)) return;
      const bad = tensors.findIndex(({ data }, i) => !data.every((v) => Math.abs(v) <= limits[i]));
      if (bad === -1) return;
      status.data[STATUS.tensor] = bad;
      status.data[STATUS.step] = row[stepSlot];
      if (skip) {
        status.data[STATUS.skip] = 1;
        status.data[STATUS.skipped] += 1;
      } else {
        const large = tensors[bad].data.every(Number.isFinite);
        status.data[STATUS.stop] = bad >= tensors.length - losses ? 5 : large ? 4 : 1;
      }
    },
});

/**
 * What happens when a gradient is not finite: an error that names tensor and step, the step left out and counted, or
 * the step taken all the same.
 */
export type NonFinitePolicy = 'throw' | 'skip' | 'allow';

const POLICIES: readonly NonFinitePolicy[] = ['throw', 'skip', 'allow'];

/** The largest float32. */
export const LARGEST = (2 - 2 ** -23) * 2 ** 127;

/** Below it sums of a gradient and its products with rates stay finite. */
export const ROOM = 2 ** 100;

/** Below it the square of a gradient, and what Adam makes of a mean of them, stay finite. */
export const SQUARES = 2 ** 63;

/** What is looked at before a step is taken. */
export interface Checked {
  readonly grads: readonly Value[];
  /** Largest size of an element, one for each gradient. Default `ROOM`. */
  readonly limits?: readonly number[];
  /** Default none. */
  readonly losses?: readonly Value[];
}

/**
 * Sets the status block when an element is NaN or infinite, or of a gradient larger than its limit, beyond which the update
 * would leave float32: the run ends, or this step is skipped. The first check of a step ends the skip of the step before.
 */
export function checkFinite(
  status: Value,
  { grads, limits = grads.map(() => ROOM), losses = [] }: Checked,
  policy: NonFinitePolicy,
): void {
  if (!POLICIES.includes(policy)) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `onNonFinite must be one of ${POLICIES.join(', ')}, got ${inspect(policy)}`,
    );
  }
  if (policy === 'allow') return;
  const again = status.graph.nodes.some((node) => node.op.name === checkFiniteOp.name);
  status.graph.add(checkFiniteOp, [status, ...grads, ...losses], {
    skip: policy === 'skip' ? 1 : 0,
    again: again ? 1 : 0,
    stepSlot: status.graph.step.index,
    limits: [...limits, ...losses.map(() => LARGEST)],
    losses: losses.length,
  });
}
