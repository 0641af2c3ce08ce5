import { type Html, html } from './html.ts';
import { shown } from './numbers.ts';
import type { Cell, Column } from './report.ts';

/** Rows that a page shows of a table and of a figure's data; a file beside it has all of them. */
export const MOST_ROWS = { table: 500, figure: 120 };
/** Texts that get more than one line. */
const LONG = 48;

/** Sorts on a click on a column's name, by values and not by what is shown of them. */
export const table = (
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  label: string,
  most: number = MOST_ROWS.table,
): Html => html`<div class="scroll" tabindex="0" role="region" aria-label="${label}"><table>
<thead><tr>${columns.map(
  ({ name, numeric }) =>
    html`<th scope="col"${numeric && html` class="number"`}><button type="button">${name}</button></th>`,
)}</tr></thead>
<tbody>${rows
  .slice(0, most)
  .map(
    (row) => html`<tr>${columns.map(({ numeric }, i) => cell(row[i] ?? null, numeric))}</tr>\n`,
  )}</tbody></table></div>`;

function cell(value: Cell, numeric: boolean | undefined): Html {
  const attributes = numeric && html` class="number"`;
  if (typeof value === 'string' && value.length > LONG) return html`<td class="long">${value}</td>`;
  if (typeof value !== 'number') return html`<td${attributes}>${value ?? '–'}</td>`;
  const text = shown(value);
  // What is shown sorts as it is read back, unless digits were left out.
  const exact = Number(text) !== value && html` data-value="${Number(value.toPrecision(9))}"`;
  return html`<td${attributes}${exact}>${text}</td>`;
}

/** RFC 4180. */
export const csv = (columns: readonly Column[], rows: readonly (readonly Cell[])[]): string =>
  [columns.map(({ name }) => name), ...rows]
    .map((row) => row.map((value) => field(value === null ? '' : String(value))).join(','))
    .map((line) => `${line}\r\n`)
    .join('');

const field = (text: string): string =>
  /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
