// npm run bench -- [SUITE…] [--peers] [--only TEXT] [--rounds N] [--json]
import { parseArgs } from 'node:util';
import { describeCommit, keep } from './kept.ts';
import { describeMachine, describeSources } from './machine.ts';
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
const sources = describeSources();
const { cpu, cores, isa, node } = machine;
for (const { comparisons, ...suite } of SUITES) {
  if (asked.size > 0 ? !asked.has(suite.name) : suite.onRequest) continue;
  const { name, title } = suite;
  process.stderr.write(`${title}\n`);
  const chosen = comparisons.filter((comparison) => comparison.name.includes(only));
  const results = await runSuite(
    { ...suite, comparisons: chosen },
    {
      rounds,
      onComparison: (result) => {
        const kept = { suite: name, title, machine, comparisons: [{ ...result, sources }] };
        keep(`${RESULTS}/${name}.json`, kept);
        process.stderr.write(`${comparisonTable([result])}\n`);
      },
      onLack: (comparison, lack) =>
        process.stderr.write(`  ${comparison.name}: left out, ${lack}\n`),
    },
  );
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ suite: name, title, machine, sources, comparisons: results })}\n`
      : `\n${title}\n${cpu}, ${cores} cores, ${isa}, node ${node}, ${describeCommit(sources)}\n\n${comparisonTable(results)}\n`,
  );
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}
