import { type Html, html, json, script } from './html.ts';
import { shown } from './numbers.ts';
import type { Names, Plot } from './plot.ts';
import type { Claim, Claims, FigureSection, Report, Section, Verdict } from './report.ts';
import { STYLE } from './style.ts';
import { MOST_ROWS, table } from './table.ts';
import { look } from './theme.ts';
import { compile, readVendored } from './vega.ts';

/** A section with the name of its files, and what it draws. */
export interface Part {
  readonly section: Section;
  readonly id: string;
  readonly plot?: Plot;
}

/** One page with everything in it: it opens without a network and asks for none. */
export function page(report: Report, parts: readonly Part[], names: Names): string {
  const { title, subtitle, provenance } = report;
  const plots = parts.flatMap(({ id, plot }) =>
    plot === undefined
      ? []
      : [{ id, spec: compile(plot.spec, { names: names.all, width: 'container', legend: false }) }],
  );
  const code = readVendored('report/page/client.js');
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'; img-src data:">
<title>${title}</title>
<style>${script(STYLE)}</style>
</head>
<body>
<main>
<header><div><h1>${title}</h1>${subtitle && html`<p class="subtitle">${subtitle}</p>`}</div>
<button type="button" id="mode">Dark</button></header>
${contents(parts)}
<noscript><p>The plots need JavaScript; their data are in the tables below them, and the pictures in the files beside this page.</p></noscript>
${grouped(parts).map((group) => {
  const sections = group.map((part) => sectionOf(part, report, names));
  return group[0].plot === undefined ? sections : html`<div class="grid">${sections}</div>`;
})}
<footer>${provenance.map(
    ({ command, machine, commit, date }) => html`<dl>
<dt>Command</dt><dd><code>${command}</code></dd><dt>Machine</dt><dd>${machine}</dd>
<dt>Version</dt><dd>${commit}</dd><dt>Date</dt><dd>${date}</dd></dl>`,
  )}</footer>
</main>
<div id="tip" hidden></div>
<script type="application/json" id="plots">${json(plots)}</script>
<script>${script(readVendored('vendor/vega.min.js'))}</script>
<script>${script(code)}</script>
</body>
</html>
`.text;
}

const MOST_CONTENTS = 12;

const headingOf = ({ section }: Part): string | undefined => section.heading;

/** Figures are left out where there are many. */
function contents(parts: readonly Part[]): Html | undefined {
  const all = parts.filter((part) => headingOf(part) !== undefined);
  const headed = all.length <= MOST_CONTENTS ? all : all.filter(({ plot }) => plot === undefined);
  if (headed.length < 3) return undefined;
  return html`<nav aria-label="Contents">${headed.map(
    (part) => html`<a href="#${part.id}">${headingOf(part)}</a> `,
  )}</nav>`;
}

/** Figures that follow each other stand side by side where there is room. */
function grouped(parts: readonly Part[]): Part[][] {
  const groups: Part[][] = [];
  for (const part of parts) {
    const before = groups.at(-1);
    if (before !== undefined && before[0].plot !== undefined && part.plot !== undefined) {
      before.push(part);
    } else groups.push([part]);
  }
  return groups;
}

const sectionOf = (part: Part, report: Report, names: Names): Html =>
  html`<section id="${part.id}">${headingOf(part) !== undefined && html`<h2>${headingOf(part)}</h2>`}
${body(part, report, names)}</section>
`;

function body({ section, id, plot }: Part, report: Report, names: Names): Html | Html[] {
  switch (section.kind) {
    case 'text':
      return section.paragraphs.map((text) => html`<p>${text}</p>`);
    case 'table':
      return html`${section.caption && html`<p class="caption">${section.caption}</p>`}
${table(section.columns, section.rows, section.heading)}
${beyond(section.rows.length, MOST_ROWS.table, id)}`;
    case 'claims':
      return claims(section);
    default:
      return figure(section, id, plot as Plot, { report, names });
  }
}

const beyond = (count: number, most: number, id: string) =>
  count > most &&
  html`<p class="source">The first ${most} of ${shown(count)} rows; all of them are in <code>tables/${id}.csv</code>.</p>`;

const MARKS: Readonly<Record<Verdict, { sign: string; shade: string }>> = {
  'borne out': { sign: '✓', shade: 'yes' },
  'not borne out': { sign: '✗', shade: 'no' },
  'not decided by these runs': { sign: '?', shade: 'open' },
};

const claims = ({ claims: all }: Claims): Html =>
  html`<p class="counts">${Object.entries(MARKS).map(([verdict, { sign, shade }]) => {
    const count = all.filter((claim) => claim.verdict === verdict).length;
    return html`<span class="${shade}">${sign} ${count} ${verdict}</span>`;
  })}</p>
<ul class="claims">${all.map(claim)}</ul>`;

function claim({ text, published, verdict, because, source }: Claim): Html {
  const { sign, shade } = MARKS[verdict];
  return html`<li class="${shade}"><p class="verdict">${sign} ${verdict}</p><p>${text}</p>
<dl><dt>Published</dt><dd>${published}</dd><dt>Measured</dt><dd>${because}</dd><dt>Source</dt><dd>${source}</dd></dl></li>
`;
}

/** Names of runs that stand in the open; more of them are folded. */
const NAMED_RUNS = 4;
const MOST_RUNS = 200;

function figure(
  section: FigureSection,
  id: string,
  plot: Plot,
  { report, names }: { report: Report; names: Names },
): Html {
  const { caption, heading } = section;
  const runs = section.runs ?? plot.runs;
  const command = section.command ?? report.provenance[0]?.command;
  const words = [caption, plot.note]
    .filter((text) => text !== undefined && text !== '')
    .map((text) => (/[.!?…:]$/.test(text as string) ? text : `${text}.`))
    .join(' ');
  return html`<figure>
${words !== '' && html`<figcaption>${words}</figcaption>`}
<div class="bar">${plot.methods.length > 1 && plot.methods.map((m) => entry(m, names))}${
    (plot.zoom || plot.frames !== undefined) &&
    html`<span class="tools">${
      plot.frames !== undefined &&
      html`<button type="button" data-play aria-label="Play" title="Play the steps">▶</button><input type="range" min="0" max="${plot.frames}" value="${plot.frames}" aria-label="Step">`
    }<button type="button" data-zoom="0.6" aria-label="Zoom in" title="Zoom in; or the wheel with Ctrl">+</button><button type="button" data-zoom="1.6667" aria-label="Zoom out" title="Zoom out">−</button><button type="button" data-zoom="0" aria-label="Show all" title="Show all">⤢</button></span>`
  }</div>
<div class="plot" id="plot-${id}" role="img" aria-label="${plot.alt}"></div>
<p class="source">${runs.length > 0 && runs.length <= NAMED_RUNS && html`Runs: ${runs.join(', ')}. `}${command && html`Made by <code>${command}</code>`}</p>
${runs.length > NAMED_RUNS && html`<details><summary>${shown(runs.length)} runs</summary>${runs.slice(0, MOST_RUNS).join(', ')}${runs.length > MOST_RUNS && ', …'}</details>`}
<details><summary>Data</summary>${table(plot.data.columns, plot.data.rows, `Data of: ${heading}`, MOST_ROWS.figure)}
${beyond(plot.data.rows.length, MOST_ROWS.figure, id)}</details>
</figure>`;
}

/** Switches a method off and on. */
function entry(m: number, names: Names): Html {
  const { colour, dash, shape } = look(m);
  return html`<button type="button" aria-pressed="true" data-method="${m}" title="Click: hide or show; with Shift: this one alone"><svg width="30" height="12" viewBox="-15 -6 30 12" aria-hidden="true"><path d="M-15 0H15" stroke="${colour}" stroke-width="2" stroke-dasharray="${dash.join(' ')}"/><path d="${OUTLINES[shape]}" fill="${colour}"/></svg>${names.all[m]}</button>`;
}

const OUTLINES: Readonly<Record<string, string>> = {
  circle: 'M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0',
  square: 'M-3.5-3.5h7v7h-7z',
  'triangle-up': 'M0-4.5L4.5 3.5H-4.5z',
  'triangle-down': 'M0 4.5L4.5-3.5H-4.5z',
  'triangle-left': 'M-4.5 0L3.5-4.5V4.5z',
  'triangle-right': 'M4.5 0L-3.5-4.5V4.5z',
  diamond: 'M0-5L4 0L0 5L-4 0z',
  cross: 'M-1.6-4.8h3.2v3.2h3.2v3.2h-3.2v3.2h-3.2v-3.2h-3.2v-3.2h3.2z',
};
