// npm run bench -- [SUITE…] [--peers] [--only TEXT] [--rounds N] [--json]
import { mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { describeMachine } from './machine.ts';
import { runSuite } from './runner.ts';
import { SUITES } from './suites/index.ts';
import { comparisonTable } from './table.ts';

/** In the package's root, where npm runs scripts. */
const RESULTS = 'bench/results';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean' },
    peers: { type: 'boolean' },
    only: { type: 'string' },
    rounds: { type: 'string' },
  },
});
const names = SUITES.map((suite) => suite.name);
const unknown = positionals.filter((name) => !names.includes(name));
const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
if (unknown.length > 0) fail(`No suite "${unknown[0]}"; there are ${names.join(', ')}`);
if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0)) {
  fail(`--rounds must be a whole number of at least 1, got "${values.rounds}"`);
}

const asked = new Set([...positionals, ...(values.peers ? ['peers'] : [])]);
const only = values.only ?? '';
const machine = describeMachine();
for (const suite of SUITES) {
  if (asked.size > 0 ? !asked.has(suite.name) : suite.onRequest) continue;
  process.stderr.write(`${suite.title}\n`);
  const chosen = suite.comparisons.filter(({ name }) => name.includes(only));
  const comparisons = await runSuite(
    { ...suite, comparisons: chosen },
    {
      rounds,
      onComparison: (result) => process.stderr.write(`${comparisonTable([result])}\n`),
      onLack: ({ name }, lack) => process.stderr.write(`  ${name}: left out, ${lack}\n`),
    },
  );
  const result = { suite: suite.name, title: suite.title, machine, comparisons };
  // A part of a suite is no result of it.
  if (only === '') {
    mkdirSync(RESULTS, { recursive: true });
    writeFileSync(`${RESULTS}/${suite.name}.json`, `${JSON.stringify(result, null, 2)}\n`);
  }
  const { cpu, cores, isa, node, commit, dirty } = machine;
  const source = `${commit?.slice(0, 10) ?? 'no commit'}${dirty ? ' with changes' : ''}`;
  process.stdout.write(
    values.json
      ? `${JSON.stringify(result)}\n`
      : `\n${suite.title}\n${cpu}, ${cores} cores, ${isa}, node ${node}, ${source}\n\n${comparisonTable(comparisons)}\n`,
  );
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}
