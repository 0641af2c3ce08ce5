/**
 * docs/results/methods.md says of every method on every backend through every door how far it was from its oracle, by
 * running it; `npx vitest run test/methods -u` writes it anew.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DeviceName } from '../../src/index.ts';
import { provideEmulation } from '../emulation/build.ts';
import { devices } from '../optim/devices.ts';
import { STEPS } from './case.ts';
import { METHODS } from './catalogue.ts';
import { DOORS, type Outcome } from './doors.ts';
import { codeOf, REFUSALS } from './refusals.ts';

const BACKENDS: readonly DeviceName[] = ['js', 'cpu', 'cuda-emulated'];
const file = join(resolve(import.meta.dirname, '../..'), 'docs', 'results', 'methods.md');

/** The cells of a kept table by the names of their rows. */
const kept = new Map(
  (existsSync(file) ? readFileSync(file, 'utf8') : '')
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) => line.slice(2, -2).split(' | '))
    .map(([name, ...cells]) => [name, cells]),
);

/**
 * A power of ten over twice the error; what was kept, where it bounds the error and is no more than 1000 times as large:
 * the last bits of an error are another processor's.
 */
function bound(outcome: Outcome, before = ''): string {
  if (typeof outcome === 'string') return `\`${outcome}\``;
  const old = Number(before);
  if (outcome <= old && old <= 1000 * outcome) return before;
  return (10 ** Math.ceil(Math.log10(2 * outcome))).toExponential(0);
}

const table = (rows: readonly (readonly string[])[]): string =>
  [rows[0], rows[0].map(() => '---'), ...rows.slice(1)]
    .map((cells) => `| ${cells.join(' | ')} |\n`)
    .join('');

const { missing } = await provideEmulation();
const reason = missing ?? devices[1].missing;

describe.skipIf(reason !== null)(
  reason === null ? 'every method' : `every method, skipped: ${reason}`,
  () => {
    it('is what the kept table says', { timeout: 240_000 }, async () => {
      const doors = Object.entries(DOORS);
      const head = BACKENDS.flatMap((device) => doors.map(([door]) => `${device} ${door}`));
      const rows: string[][] = [];
      for (const method of METHODS) {
        const cells: string[] = [];
        for (const device of BACKENDS) {
          for (const [name, door] of doors) {
            const outcome = await door(method, device);
            cells.push(bound(outcome, kept.get(method.name)?.[cells.length]));
            if (typeof outcome === 'string') continue;
            const where = `${method.name} on ${device} through ${name}`;
            expect(outcome, where).toBeLessThanOrEqual(method.tolerance ?? 1e-5);
          }
        }
        rows.push([method.name, ...cells]);
      }
      const refusals: string[][] = [];
      for (const [what, asked] of Object.entries(REFUSALS)) {
        const codes = new Set<string>();
        for (const device of BACKENDS) codes.add(await codeOf(asked, device));
        refusals.push([what, [...codes].map((code) => `\`${code}\``).join(', ')]);
      }
      const text = `# Methods, backends, doors

Made by \`test/methods/table.test.ts\`, which runs every cell: ${STEPS} steps with a cosine of the learning rate, by the
settings of \`test/optim/oracles/\`, beside a float64 implementation written from the method's equations. A number
bounds the worst error of any parameter, divided by its magnitude or by 0.1 where it is smaller; a code is what the
method throws. \`cuda-emulated\` runs the CUDA kernels on the CPU: nothing here has run on a GPU.

- arrays: an optimizer on the caller's arrays (tensors of orders 0 to 3, one of them empty) with a gradient that depends
  on them; \`step\` and \`stepAsync\` gave the same bits. SAM takes a closure; K-FAC observes two linear layers.
- trainStep, fit: a convolution and two linear layers with tanh and squared error.

${table([['method', ...head], ...rows])}
## What is refused

On each of the three backends, with these codes:

${table([['asked', 'code'], ...refusals])}`;
      await expect(text).toMatchFileSnapshot(file);
      expect(text).not.toMatch(/differ|not refused/);
    });
  },
);
