import { Draws } from '../random/draws.ts';
import { STREAM } from '../random/philox.ts';
import type { Table } from './csv.ts';
import { TABLES, type TableName } from './tabular.ts';

/** Rows, as in the real ones. */
const ROWS: Readonly<Record<TableName, number>> = { titanic: 714, spambase: 4601, mushroom: 8124 };
const SEED = 0;
/** Of the labels that are wrong. */
const NOISE = 0.03;

/**
 * A table in the form of a published one, of columns drawn at random, whose classes no linear function of the columns tells
 * apart: for machines with neither data nor network.
 */
export function syntheticTable(name: TableName): Table {
  const { columns, row } = KINDS[name];
  const stream = STREAM.synthetic + Object.keys(TABLES).indexOf(name);
  const rows = Array.from({ length: ROWS[name] }, (_, i) => row(new Draws(SEED, stream, i), i));
  return { source: `synthetic ${name}`, columns, rows, lines: rows.map((_, i) => i + 1) };
}

interface Kind {
  readonly columns: readonly string[];
  /** The values of row `i`. */
  row(draws: Draws, i: number): string[];
}

/** One or the other, but for the noise. */
const label = (draws: Draws, holds: boolean, [no, yes]: readonly [string, string]): string =>
  holds !== draws.chance(NOISE) ? yes : no;

const { columns: letters } = TABLES.spambase.csv;
const { columns: mushrooms } = TABLES.mushroom.csv;

const KINDS: Readonly<Record<TableName, Kind>> = {
  titanic: {
    columns:
      'PassengerId Survived Pclass Name Sex Age SibSp Parch Ticket Fare Cabin Embarked'.split(' '),
    /** Women under 30 and men over it survive. */
    row: (draws, i) => {
      const sex = draws.of(['female', 'male']);
      const age = draws.between(1, 59);
      const survived = label(draws, (sex === 'female') === age < 30, ['0', '1']);
      return [
        ...[
          `${i + 1}`,
          survived,
          `${1 + draws.below(3)}`,
          `Passenger ${i + 1}`,
          sex,
          age.toFixed(1),
        ],
        ...[
          `${draws.below(4)}`,
          `${draws.below(3)}`,
          `T ${i + 1}`,
          draws.between(5, 80).toFixed(2),
        ],
        ...['C1', draws.of('CQS')],
      ];
    },
  },
  spambase: {
    columns: letters,
    /** Spam is far from the middle of the first three columns. */
    row: (draws) => {
      const normals = Array.from({ length: letters.length - 1 }, () => draws.about(Math.sqrt(6)));
      const [a, b, c] = normals;
      const spam = label(draws, a * a + b * b + c * c > 2.5, ['0', '1']);
      return [...normals.map((x) => (5 + x).toFixed(3)), spam];
    },
  },
  mushroom: {
    columns: mushrooms,
    /** Poisonous where the cap has one of the first shapes or the odour is one of the first, not both. */
    row: (draws) => {
      const looks = mushrooms.slice(1).map(() => draws.of('abcdef'));
      const [shape, odour] = [looks[0], looks[4]];
      return [label(draws, shape < 'd' !== odour < 'd', ['e', 'p']), ...looks];
    },
  },
};
