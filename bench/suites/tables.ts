/** A whole training of a small model, compiling included: what waiting, not computing, would make slow. */
import { CPU, flatmin, JS } from '../flatmin.ts';
import { tableTraining } from '../mlp.ts';
import type { Suite, Works } from '../suite.ts';

const WORK = 'MLP 10-64-2, 712 + 179 rows, batch 32, 30 epochs';

export const works: Works = { [WORK]: tableTraining };

export const suite: Suite = {
  name: 'tables',
  title: 'A training of a small table by fit, an evaluation after every epoch, SGD',
  rounds: 5,
  comparisons: [
    {
      name: WORK,
      subjects: [JS, ...CPU].map((target) => flatmin('tables', WORK, target)),
      ratio: 'speedup',
    },
  ],
};
