import { pullback } from '../autodiff/gradients.ts';
import { independentRuns } from '../autodiff/runs.ts';
import { FlatminError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import type { Loss } from '../nn/loss.ts';
import { normalise } from '../ops/gather.ts';
import { reshape } from '../ops/reshape.ts';

/** Most backward passes that are traced: each is as many instructions again. */
const MOST_PASSES = 2048;

/**
 * Gradients by each of `tapped` whose second moments add up to their expectation over all labels of all rows. Labels of
 * different rows are independent, so products between their gradients must not enter. A root, which is a label's gradient
 * of every row, is pulled back for all rows at once where they meet nowhere between the tap and the output; where they do,
 * as steps of a sequence in an LSTM and examples in batch norm, for one row of each run that others stay out of.
 */
export function exactGradients(
  loss: Loss,
  { output, targets, shares }: { output: Value; targets: Value; shares: Value | undefined },
  tapped: readonly Value[],
): readonly (readonly Value[])[] {
  if (loss.fisherRoots === undefined) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `The loss ${loss.name} has no fisherRoots, which fisher 'exact' needs`,
    );
  }
  const rows = loss.targets === 'values' ? output.shape[0] : targets.size;
  const roots = loss.fisherRoots(output, shares);
  const runsOf = tapped.map((tap) => independentRuns(tap, output, rows));
  const found: Value[][] = tapped.map(() => []);
  for (const runs of new Set(runsOf)) {
    const together = rows / runs;
    expectFew(roots.length, together);
    const chosen = tapped.filter((_, i) => runsOf[i] === runs);
    for (let row = 0; row < together; row++) {
      for (const root of roots) {
        const gradients = pullback(output, oneOf(root, row, [runs, together]), chosen);
        chosen.forEach((tap, i) => {
          const gradient = gradients[i];
          if (gradient !== undefined) found[tapped.indexOf(tap)].push(gradient);
        });
      }
    }
  }
  return found;
}

/** A root with the given row of each run of `together` rows, the others 0. */
function oneOf(root: Value, row: number, [runs, together]: readonly [number, number]): Value {
  if (together === 1) return root;
  const scale = Array.from({ length: together }, (_, r) => (r === row ? 1 : 0));
  const one = normalise(reshape(root, [runs, together, -1]), { scale, shift: scale.map(() => 0) });
  return reshape(one, root.shape);
}

function expectFew(roots: number, rows: number): void {
  if (rows === 1 || rows * roots <= MOST_PASSES) return;
  throw new FlatminError(
    'FLATMIN_ARGUMENT',
    `fisher 'exact' takes a backward pass for each output of each row where rows interact, as steps do in an LSTM and examples in batch norm: ${rows} rows × ${roots} outputs are more than ${MOST_PASSES}. Help: use fisher: 'true', whose mean over draws it is, or fewer rows: smaller batches, shorter sequences.`,
  );
}
