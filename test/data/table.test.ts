import { describe, expect, it } from 'vitest';
import { parseCsv, splitRows, TableTransform } from '../../src/index.ts';

const PEOPLE = `name,age,port,survived
"Braund, Mr. Owen",20,S,no
"O""Neill
Mary",,C,yes
Heikkinen,40,,yes
Allen,60,S,no
`;
const people = parseCsv(PEOPLE, { source: 'people.csv' });

describe('parseCsv', () => {
  it('reads quoted fields over lines, missing values and the line of each row', () => {
    expect(people.columns).toEqual(['name', 'age', 'port', 'survived']);
    expect(people.rows[1]).toEqual(['O"Neill\nMary', null, 'C', 'yes']);
    expect(people.lines).toEqual([2, 3, 5, 6]);
  });

  it('takes CRLF, a byte order mark, other delimiters, names of its own and marks of missing values', () => {
    const options = { columns: ['a', 'b'], delimiter: ';', missing: ['-'] };
    expect(parseCsv('\uFEFF1;?\r\n-;2\r\n', options).rows).toEqual([
      ['1', '?'],
      [null, '2'],
    ]);
    expect(parseCsv('1,?\n', { columns: ['a', 'b'] }).rows).toEqual([['1', null]]);
  });

  it.each([
    [
      'too few fields',
      'a,b\n1,2\n3\n',
      'people.csv, line 3, column 2: expected 2 fields (a, b, …), got 1',
    ],
    [
      'too many fields',
      'a,b\n1,2,3\n',
      'people.csv, line 2, column 3: expected 2 fields (a, b, …), got 3',
    ],
    [
      'two columns of one name',
      'a,a\n1,2\n',
      'people.csv, line 1, column 2: the name "a" is that of column 1 too',
    ],
    [
      'a column without a name',
      'a,\n1,2\n',
      'people.csv, line 1, column 2: expected a name of the column, got nothing',
    ],
    ['no rows', 'a,b\n', 'people.csv holds no rows'],
  ])('says where there are %s', (_, text, message) => {
    expect(() => parseCsv(text, { source: 'people.csv' })).toThrow(message);
  });

  it('says in which line a quote never ends', () => {
    const read = () => parseCsv('a,b\n1,2\n"3,4\n', { source: 'people.csv' });
    expect(read).toThrow(/people\.csv, line \d: Quote Not Closed/);
    expect(read).toThrow(expect.objectContaining({ code: 'FLATMIN_DATA' }));
  });
});

describe('TableTransform', () => {
  const rows = [0, 1, 2];
  const transform = TableTransform.fit(people, rows, { target: 'survived', drop: ['name'] });

  it('is fitted on training rows alone', () => {
    expect(transform.features).toEqual(['age', 'age missing', 'port=C', 'port=S', 'port missing']);
    expect(transform.classes).toEqual(['no', 'yes']);
    const { inputs, labels } = transform.dataset(people);
    // Ages 20 and 40 have mean 30 and deviation 10.
    expect([...inputs.data]).toEqual(
      [
        [-1, 0, 0, 1, 0],
        [0, 1, 1, 0, 0],
        [1, 0, 0, 0, 1],
        [3, 0, 0, 1, 0],
      ].flat(),
    );
    expect([...labels]).toEqual([0, 1, 1, 0]);
  });

  it('is the same after a way through JSON, and takes raw rows without a target', () => {
    const again = new TableTransform(JSON.parse(JSON.stringify(transform)));
    const raw = parseCsv('port,age\nQ,50\n');
    expect([...again.inputs(raw)]).toEqual([2, 0, 0, 0, 0]);
    expect(again.toJSON()).toEqual(transform.toJSON());
  });

  it('takes the kinds that are declared', () => {
    const table = parseCsv('class,y\n1,a\n3,b\n1,b\n');
    const of = (kind: object) => TableTransform.fit(table, [0, 1, 2], { target: 'y', ...kind });
    expect(of({}).features).toEqual(['class']);
    expect(of({ categorical: ['class'] }).features).toEqual(['class=1', 'class=3']);
    expect(() =>
      TableTransform.fit(people, rows, { target: 'survived', numeric: ['port'] }),
    ).toThrow('people.csv, line 2, column "port": expected a finite number, got S');
  });

  it('says what does not fit', () => {
    const table = parseCsv(
      `id,y\n${Array.from({ length: 30 }, (_, i) => `n${i},${i % 2}\n`).join('')}`,
    );
    const all = Array.from({ length: 30 }, (_, i) => i);
    expect(() => TableTransform.fit(table, all, { target: 'y' })).toThrow(
      'column "id": 30 of 30 values are different, which are no categories. Help: name it in drop',
    );
    expect(() => TableTransform.fit(people, rows, { target: 'fare' })).toThrow(
      'people.csv has no column "fare"; it has name, age, port, survived',
    );
    const unseen = parseCsv('age,port,survived\n1,S,maybe\n');
    expect(() => transform.dataset(unseen)).toThrow(
      'line 2, column "survived": expected one of no, yes, got maybe',
    );
    const lacking = parseCsv('age,port,survived\n1,S,\n');
    expect(() => transform.dataset(lacking)).toThrow('expected a value to predict, got nothing');
    expect(() => transform.inputs(parseCsv('age,port\nold,S\n'))).toThrow(
      'line 2, column "age": expected a finite number, got old',
    );
  });

  it('leaves a column of equal numbers at 0', () => {
    const table = parseCsv('x,y\n5,a\n5,b\n');
    expect([...TableTransform.fit(table, [0, 1], { target: 'y' }).inputs(table)]).toEqual([0, 0]);
  });
});

describe('splitRows', () => {
  it('holds out shares rounded up, every row once, by the seed', () => {
    const split = splitRows(891, { seed: 3, test: 0.2, validation: 0.1 });
    expect([split.test, split.validation, split.train].map((part) => part.length)).toEqual([
      179, 90, 622,
    ]);
    const all = [...split.test, ...split.validation, ...split.train].sort((a, b) => a - b);
    expect(all).toEqual(Array.from({ length: 891 }, (_, i) => i));
    expect(splitRows(891, { seed: 3 }).test).toEqual(split.test);
    expect(splitRows(891, { seed: 4 }).test).not.toEqual(split.test);
  });

  it('refuses shares that leave nothing to train on', () => {
    expect(() => splitRows(10, { seed: 1, test: 1 })).toThrow(
      /that leave training rows, got test 1/,
    );
    expect(() => splitRows(10, { seed: 1, test: -0.5 })).toThrow(/shares of at least 0/);
  });
});
