import { CsvError, parse } from 'csv-parse/sync';
import { checkNames, checkText } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import { readText } from '../files.ts';

/** Rows of named columns as they stand in a file; null where a value is missing. */
export interface Table {
  /** What errors call it: the file. */
  readonly source: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | null)[])[];
  /** Line of the file that each row begins in, from 1. */
  readonly lines: readonly number[];
}

/** How a file of comma-separated values is read. */
export interface CsvOptions {
  /** Names of the columns, of a file without a line of them. Default: its first line. */
  readonly columns?: readonly string[];
  /** What stands for a missing value, beside nothing at all. Default `?`, `NA`, `NaN`. */
  readonly missing?: readonly string[];
  /** Default a comma. */
  readonly delimiter?: string;
}

/**
 * Reads a CSV file (RFC 4180: fields in double quotes may hold delimiters, quotes and line ends; CRLF and a byte order mark
 * are taken). `FLATMIN_DATA` names file, line and column of a row that has another number of fields, of a quote that never
 * ends, and of names of columns that are empty or twice there.
 */
export function readCsv(file: string, options: CsvOptions = {}): Table {
  checkText('The file of readCsv', file);
  return parseCsv(readText(file), { ...options, source: file });
}

/** The same from text; `source` is what errors call it. */
export function parseCsv(
  text: string,
  options: CsvOptions & {
    /** What errors call the text, as a path. Default `text`. */
    source?: string;
  } = {},
): Table {
  checkText('The text of parseCsv', text);
  checkNames<CsvOptions & { source?: string }>('parseCsv', options, {
    source: true,
    columns: true,
    missing: true,
    delimiter: true,
  });
  const { source = 'the text', columns, missing = MISSING, delimiter = ',' } = options;
  checkText('source', source);
  checkText('delimiter', delimiter);
  const fail = (what: string) => new FlatminError('FLATMIN_DATA', `${source}${what}`);
  let records: readonly { record: string[]; info: { lines: number } }[];
  try {
    records = parse(text, {
      ...{ bom: true, info: true, delimiter, trim: true, skip_empty_lines: true },
      relax_column_count: true,
    }) as never;
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw fail(`, line ${error.lines}: ${error.message}`);
  }
  // The parser tells the line that a record ends in.
  const begins = records.map(({ record, info }) => info.lines - lineEnds(record));
  const names = columns ?? records[0]?.record ?? [];
  const body = columns === undefined ? records.slice(1) : records;
  const lines = columns === undefined ? begins.slice(1) : begins;
  names.forEach((name, i) => {
    if (name === '')
      throw fail(
        `, line ${begins[0]}, column ${i + 1}: expected a name of the column, got nothing`,
      );
    if (names.indexOf(name) !== i) {
      throw fail(
        `, line ${begins[0]}, column ${i + 1}: the name "${name}" is that of column ${names.indexOf(name) + 1} too`,
      );
    }
  });
  if (body.length === 0) throw fail(' holds no rows');
  const absent = new Set(['', ...missing]);
  const rows = body.map(({ record }, i) => {
    if (record.length !== names.length) {
      throw fail(
        `, line ${lines[i]}, column ${Math.min(record.length, names.length) + 1}: expected ${names.length} fields (${names.slice(0, 3).join(', ')}, …), got ${record.length}`,
      );
    }
    return record.map((field) => (absent.has(field) ? null : field));
  });
  return { source, columns: names, rows, lines };
}

const MISSING = ['?', 'NA', 'NaN'];

const lineEnds = (record: readonly string[]): number =>
  record.reduce((sum, field) => sum + (field.match(/\r\n|\n|\r/g)?.length ?? 0), 0);
