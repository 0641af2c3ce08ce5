import { checkWhole } from '../arguments.ts';
import type { Value } from '../graph/graph.ts';
import { showType } from '../graph/types.ts';
import { defineOp, graphOf, shapeError } from './define.ts';

const oneHotOp = defineOp<{ classes: number }>({
  name: 'oneHot',
  infer: ([labels], { classes }) => {
    if (labels.dtype !== 'i32' && labels.dtype !== 'u8') {
      throw shapeError(`oneHot expects i32 or u8, got ${showType(labels)}`);
    }
    return [{ dtype: 'f32', shape: [...labels.shape, classes] }];
  },
  runs: ({ inputs: [labels] }) => labels.size,
  // Labels are whole numbers: nothing flows to them.
  gradient: () => [undefined],
  tangent: () => [undefined],
  indexes: ({ inputs: [labels], attrs: { classes } }) => ({
    by: labels,
    what: 'label',
    least: -1,
    count: classes,
    of: 'classes of oneHot',
  }),
  kernel:
    ({ inputs: [labels], outputs: [y], attrs: { classes } }) =>
    () => {
      y.data.fill(0);
      labels.data.forEach((label, row) => {
        if (label >= 0 && label < classes) y.data[row * classes + label] = 1;
      });
    },
});

/** Labels i32 or u8 […] → f32 […, classes]: 1 at each one's own class, 0 elsewhere. A label outside gives zeros. */
export function oneHot(labels: Value, classes: number): Value {
  const graph = graphOf('oneHot', labels);
  checkWhole('classes of oneHot', classes, 0);
  return graph.add(oneHotOp, [labels], { classes })[0];
}
