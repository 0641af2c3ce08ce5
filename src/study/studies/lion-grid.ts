import type { constant, Measured } from '../measured.ts';
import type { Claim, Grid, Study } from '../study.ts';
import { above, all, below, near, type Verdict } from '../verdict.ts';

/** A study of Lion's three hyperparameters on small tables, by grids; it selected on the test data. */

const SOURCE = 'A study of Lion’s hyperparameters on Titanic, Mushroom and Spambase (in Russian)';

type Table = 'titanic' | 'spambase' | 'mushroom';

const range = (from: number, to: number, count: number) => ({ from, to, count });

const grid = (
  task: Table,
  title: string,
  ends: { beta: number; lr: number },
  count: number,
): Grid => {
  const space = (points: number) => ({
    'betas.0': range(0.8, ends.beta, points),
    lr: range(ends.lr, 1e-2, points),
    weightDecay: range(0, 0.1, points),
  });
  return {
    name: task,
    title,
    task,
    method: 'lion',
    usual: { 'betas.0': 0.9, lr: 1e-4, weightDecay: 0 },
    sizes: {
      quick: { space: space(3), seeds: 2, epochs: 5 },
      full: { space: space(count), seeds: 3, epochs: 30 },
    },
  };
};

const TABLES: readonly Table[] = ['titanic', 'spambase', 'mushroom'];

/** Test accuracies printed for the default and the best of the grid. */
const PRINTED: Readonly<Record<Table, readonly [number, number]>> = {
  titanic: [0.67832, 0.83217],
  spambase: [0.93268, 0.93702],
  mushroom: [0.98708, 0.98154],
};

const claim = (text: string, published: string, judge: (measured: Measured) => Verdict): Claim => ({
  text,
  published,
  source: SOURCE,
  judge,
});

const usual = (m: Measured, table: Table) => m.grid(`${table} default`).first();

/** Every so many values of each dimension, so that the ends are among them. */
function coarser(m: Measured, table: Table, points: number) {
  const whole = m.grid(table);
  const kept = Object.fromEntries(
    ['betas.0', 'lr', 'weightDecay'].map((name) => {
      const values = whole.valuesOf(name);
      const at = (i: number) => values[Math.round((i * (values.length - 1)) / (points - 1))];
      return [name, new Set(Array.from({ length: points }, (_, i) => at(i)))];
    }),
  );
  return whole.best('test', (values) =>
    Object.entries(kept).every(([name, set]) => set.has(values[name] as number)),
  );
}

export const lionGrid: Study = {
  name: 'lion-grid',
  title: 'Lion’s hyperparameters on three tables',
  about: [
    'A network of one hidden layer learns Titanic, Spambase and Mushroom by Lion at every point of a grid of β₁, η and λ.',
    'The published study took the best point by the test data; here it stands beside the best by validation rows, measured on test rows that chose nothing.',
  ],
  comparisons: [],
  grids: [
    grid('titanic', 'Titanic, 20 × 20 × 20', { beta: 0.98, lr: 5e-5 }, 20),
    grid('spambase', 'Spambase, 10 × 10 × 10', { beta: 0.99, lr: 1e-5 }, 10),
    grid('mushroom', 'Mushroom, 10 × 10 × 10', { beta: 0.99, lr: 1e-5 }, 10),
  ],
  claims: [
    ...TABLES.flatMap((table) => {
      const [before, after] = PRINTED[table];
      return [
        claim(`${table}: accuracy at the default`, `${before}`, (m) =>
          near(usual(m, table), before, 0.02),
        ),
        claim(`${table}: best accuracy of the grid, chosen by the test data`, `${after}`, (m) =>
          near(m.grid(table).best('test'), after, 0.02),
        ),
      ];
    }),
    claim('titanic: the best of the grid is far above the default', '0.678 → 0.832', (m) =>
      above(m.grid('titanic').best('test'), usual(m, 'titanic'), 0.05),
    ),
    claim('titanic: so it is when validation rows choose', 'not asked', (m) =>
      above(m.grid('titanic').best('validation'), usual(m, 'titanic'), 0.05),
    ),
    claim('mushroom: the best of the grid is below the default', '0.987 → 0.982', (m) =>
      below(m.grid('mushroom').best('test'), usual(m, 'mushroom')),
    ),
    claim('On the larger tables the default is within 0.5 % of the best', 'within 0.5 %', (m) =>
      all(
        (['spambase', 'mushroom'] as const).map((table) =>
          below(m.grid(table).best('test'), shifted(usual(m, table), 0.005)),
        ),
      ),
    ),
    claim('titanic: the gain comes from the size of the grid', '5³ < 10³ < 20³', (m) =>
      all([
        above(coarser(m, 'titanic', 10), coarser(m, 'titanic', 5)),
        above(coarser(m, 'titanic', 20), coarser(m, 'titanic', 10)),
      ]),
    ),
    claim('The smallest table is the most sensitive', 'Titanic', (m) =>
      all(
        (['spambase', 'mushroom'] as const).map((table) =>
          above(m.grid('titanic').spread(), m.grid(table).spread()),
        ),
      ),
    ),
    claim('Selecting by the test data flatters', 'not asked', (m) =>
      above(m.grid('titanic').best('test'), m.grid('titanic').best('validation')),
    ),
  ],
};

const shifted = ({ name, values }: ReturnType<typeof constant>, by: number) => ({
  name: `${name} + ${by}`,
  values: values.map((x) => x + by),
});
