/** The harness sees what it is there to see: kernels that write beside an operand, or under a set status block. */
import { expect, it } from 'vitest';
import type { Executable, Store } from '../../src/backend/backend.ts';
import { JsStore } from '../../src/backend/js/store.ts';
import type { Numbers } from '../../src/graph/kernel.ts';
import { keep } from '../../src/ops/assign.ts';
import { relu } from '../../src/ops/unary.ts';
import { f32, i32 } from './data.ts';
import { readsStatus, runBetweenGuards, whileStanding } from './guards.ts';
import { type Case, traceForward } from './harness.ts';

/** A store whose programs do `harm` after what they should. */
function harmful(harm: (store: JsStore, bindings: readonly Numbers[]) => void): Store {
  const store = new JsStore();
  const load = store.load.bind(store);
  store.load = (spec): Executable => {
    const executable = load(spec);
    return Object.assign(Object.create(executable), {
      runSync: (rows: Float64Array, bindings: readonly Numbers[] = []) => {
        const result = executable.runSync(rows, bindings);
        harm(store, bindings);
        return result;
      },
    });
  };
  return store;
}

const elementwise: Case = {
  op: 'relu',
  name: '',
  inputs: [f32([3], [-1, 0, 1])],
  build: ([x]) => [relu(x)],
  oracle: () => [],
};

const update: Case = {
  op: 'keep',
  name: '',
  inputs: [i32([8], Array(8).fill(0)), f32([2], [1, 2]), f32([2], [3, 4])],
  build: ([status, state, value]) => {
    keep(status, [state], [value]);
    return [state];
  },
  oracle: () => [],
};

it('finds nothing where nothing is wrong', () => {
  const { outputs, overwritten } = runBetweenGuards(traceForward(elementwise), new JsStore());
  expect(outputs).toEqual([Float32Array.of(0, 0, 1)]);
  expect(overwritten).toEqual([]);
  expect(whileStanding(traceForward(update), () => new JsStore())).toEqual([]);
  expect([elementwise, update].map((c) => readsStatus(traceForward(c)))).toEqual([false, true]);
});

it.each([
  ['the byte after the output', 1, 'output 0 of relu', (data: Numbers) => data.byteLength],
  ['the byte before the input', 0, 'input 0 of relu', () => -1],
])('finds a write to %s', (_, id, name, place) => {
  const store = harmful((_, bindings) => {
    const data = bindings[id];
    new Uint8Array(data.buffer)[data.byteOffset + place(data)] ^= 1;
  });
  expect(runBetweenGuards(traceForward(elementwise), store).overwritten).toEqual([name]);
});

it('finds an update under a set status block, and a changed block', () => {
  const moved = () => harmful((store) => store.write('in.1', Float32Array.of(1, 3)));
  expect(whileStanding(traceForward(update), moved)).toEqual([
    'in.1 under stop',
    'in.1 under skip',
  ]);
  const reset = () => harmful((store) => store.write('in.0', new Int32Array(8)));
  expect(whileStanding(traceForward(update), reset)).toEqual([
    'in.0 under stop',
    'in.0 under skip',
  ]);
});
