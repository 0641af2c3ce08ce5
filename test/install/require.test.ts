/** CommonJS: `require('flatmin')` gives what `import` does, in every Node that flatmin is for. */
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import * as flatmin from '../../src/index.ts';

it('require has every export, and trains', () => {
  const script = `
    const flatmin = require(${JSON.stringify(resolve(import.meta.dirname, '../../dist/index.js'))});
    const { dataset, fit, linear, sgd } = flatmin;
    const train = dataset({ inputs: [[0], [1]], labels: [0, 1] });
    fit(linear(2), { train }, { optimizer: sgd({ lr: 1 }), epochs: 9, device: 'js' }).then(({ history }) =>
      console.log(JSON.stringify({ names: Object.keys(flatmin), epochs: history.length })));`;
  const output = execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  const { names, epochs } = JSON.parse(output);
  expect(names.sort()).toEqual(Object.keys(flatmin).sort());
  expect(epochs).toBe(9);
});
