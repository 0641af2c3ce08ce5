import type { Value } from '../graph/graph.ts';
import { defineOp, expectType } from './define.ts';
import { standsStill } from './status.ts';

const assignOp = defineOp({
  name: 'assign',
  infer: () => [],
  mutates: true,
  kernel:
    ({ inputs }) =>
    () => {
      for (let t = 0; t < inputs.length; t += 2) inputs[t].data.set(inputs[t + 1].data);
    },
});

/** Targets ← values, bit for bit. */
export function assign(targets: readonly Value[], values: readonly Value[]): void {
  targets[0].graph.add(
    assignOp,
    targets.flatMap((t, i) => [t, values[i]]),
    {},
  );
}

const keepOp = defineOp({
  name: 'keep',
  infer: ([status]) => {
    expectType('keep', 'a status block', status, 'i32', [8]);
    return [];
  },
  mutates: true,
  kernel:
    ({ inputs: [status, ...tensors] }) =>
    () => {
      if (standsStill(status)) return;
      for (let t = 0; t < tensors.length; t += 2) tensors[t].data.set(tensors[t + 1].data);
    },
});

/** State ← values, unless the status block says that this step is not taken. */
export function keep(status: Value, states: readonly Value[], values: readonly Value[]): void {
  status.graph.add(keepOp, [status, ...states.flatMap((s, i) => [s, values[i]])], {});
}
