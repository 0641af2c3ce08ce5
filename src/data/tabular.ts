import { readText } from '../files.ts';
import { type CsvOptions, parseCsv, readCsv, type Table } from './csv.ts';
import { readFirst } from './locate.ts';
import type { TransformOptions } from './table.ts';

/** A published table: its file, and what its columns are. */
export interface TableSource {
  readonly file: string;
  readonly csv: CsvOptions;
  readonly transform: TransformOptions;
  /** Columns of which a row must have a value to be trained on. */
  readonly required: readonly string[];
}

const list = (names: string): string[] => names.split(' ');

const SPAMBASE = [
  ...list(
    'make address all 3d our over remove internet order mail receive will people report addresses free business email you credit your font 000 money hp hpl george 650 lab labs telnet 857 data 415 85 technology 1999 parts pm direct cs meeting original project re edu table conference',
  ).map((word) => `word_freq_${word}`),
  ...list('; ( [ ! $ #').map((sign) => `char_freq_${sign}`),
  ...list('average longest total').map((length) => `capital_run_length_${length}`),
];

const MUSHROOM = list(
  'cap-shape cap-surface cap-color bruises odor gill-attachment gill-spacing gill-size gill-color stalk-shape stalk-root stalk-surface-above-ring stalk-surface-below-ring stalk-color-above-ring stalk-color-below-ring veil-type veil-color ring-number ring-type spore-print-color population habitat',
);

export const TABLES = {
  /** Passengers (Kaggle): who survived. The 714 whose age is known, of 891, as in the study of Lion on small tables. */
  titanic: {
    file: 'titanic.csv',
    csv: {},
    transform: {
      target: 'Survived',
      drop: ['PassengerId', 'Name', 'Ticket', 'Cabin'],
      numeric: ['Age', 'SibSp', 'Parch', 'Fare'],
      categorical: ['Pclass', 'Sex', 'Embarked'],
    },
    required: ['Age'],
  },
  /** Letters (UCI): which are spam, by how often words and signs stand in them and how long capitals run. */
  spambase: {
    file: 'spambase.data',
    csv: { columns: [...SPAMBASE, 'spam'] },
    transform: { target: 'spam', numeric: SPAMBASE },
    required: [],
  },
  /** Mushrooms (UCI): which are edible, e, or poisonous, p, by letters for what they look like. */
  mushroom: {
    file: 'agaricus-lepiota.data',
    csv: { columns: ['class', ...MUSHROOM] },
    transform: { target: 'class', categorical: MUSHROOM },
    required: [],
  },
} satisfies Record<string, TableSource>;

export type TableName = keyof typeof TABLES;

/** The rows of a table that can be trained on, from its file in `dir` or in the folder of such tables there. */
export function loadTable(dir: string, name: TableName): Table {
  const { file, csv, required }: TableSource = TABLES[name];
  const { content } = readFirst(dir, name, file, (path) => readCsv(path, csv));
  return withValues(content, required);
}

/** New rows of a table, which may have a line of names, and may lack the column that is predicted. */
export function readRows(path: string, name: TableName): Table {
  const { csv, transform }: TableSource = TABLES[name];
  const text = readText(path);
  const first = text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n|\r/, 1)[0]
    .split(',');
  const { columns } = csv;
  if (columns === undefined || columns.every((c) => c === transform.target || first.includes(c))) {
    return parseCsv(text, { source: path });
  }
  const own = columns.filter((c) => first.length === columns.length || c !== transform.target);
  return parseCsv(text, { source: path, columns: own });
}

/** The rows of a table that have a value in all of these columns. */
function withValues(table: Table, columns: readonly string[]): Table {
  const places = columns.map((name) => table.columns.indexOf(name));
  const kept = table.rows.flatMap((row, i) => (places.every((p) => row[p] !== null) ? [i] : []));
  return { ...table, rows: kept.map((i) => table.rows[i]), lines: kept.map((i) => table.lines[i]) };
}
