import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openStore } from '../../src/backend/device.ts';
import { Pace } from '../../src/backend/pace.ts';
import { Program } from '../../src/backend/program.ts';
import { compile } from '../../src/graph/compile.ts';
import { Graph } from '../../src/graph/graph.ts';
import { fit, mlp, sgd } from '../../src/index.ts';
import { assign } from '../../src/ops/assign.ts';
import { affine } from '../../src/ops/elementwise.ts';
import { present } from '../optim/devices.ts';
import { circle } from '../train/task.ts';

let clock: number;
beforeEach(() => {
  clock = 0;
});
afterEach(() => vi.restoreAllMocks());

/** Works for so many milliseconds of a clock that nothing else moves, and tells how. */
function worker() {
  vi.spyOn(performance, 'now').mockImplementation(() => clock);
  const pace = new Pace();
  return async (milliseconds: number, expected = milliseconds) => {
    const work = (how: string) => {
      clock += milliseconds;
      return how;
    };
    return pace.do(expected, { now: () => work('now'), later: async () => work('later') });
  };
}

it('does at once what is known to be short', async () => {
  const work = worker();
  expect(await work(1.9)).toBe('now');
  expect(await work(2)).toBe('later');
  expect(await work(0)).toBe('now');
});

it('gives the event loop its turn before ten milliseconds are over', async () => {
  const work = worker();
  let turns = 0;
  let going = true;
  const turn = () => {
    turns += 1;
    if (going) setImmediate(turn);
  };
  setImmediate(turn);
  for (let i = 0; i < 40; i++) {
    const [before, since] = [turns, clock];
    while (turns === before) expect(await work(1.5)).toBe('now');
    // The piece that follows the turn is counted here, too.
    expect(clock - since).toBeLessThanOrEqual(10 + 1.5);
  }
  going = false;
});

it.each(present)('a program at a pace on %s performs every step', async (device) => {
  const store = openStore({ device });
  const graph = new Graph();
  const x = graph.stored('x', { dtype: 'f32', shape: [] });
  assign([x], [affine(x, 1, 1)]);
  const third = { name: 'third', due: (step: number) => step % 3 === 0 };
  graph.inSection(third, () => assign([x], [affine(x, 1, 100)]));
  const program = new Program(compile(graph, { reports: [affine(x, 1)] }), store);
  const pace = new Pace();
  const run = async (first: number, count: number, signal?: AbortSignal) => {
    const moments = Array.from({ length: count }, (_, i) => ({
      ...{ step: first + i, epoch: 0, seed: 0, offset: 0 },
    }));
    const { steps, reports, stopped } = await program.run(moments, { pace, signal });
    return { steps, reports: [...reports], stopped };
  };
  const done = (reports: number[]) => ({ steps: reports.length, reports, stopped: false });
  expect(await run(1, 4)).toEqual(done([1, 2, 103, 104]));
  expect(await run(5, 1)).toEqual(done([105]));
  expect(await run(6, 5)).toEqual(done([206, 207, 208, 309, 310]));
  expect(await run(11, 3, AbortSignal.abort())).toEqual(done([]));
  expect(await run(11, 0)).toEqual(done([]));
  expect(await run(11, 2)).toEqual(done([311, 412]));
});

it.each(present)('a training of short steps on %s hears of an abort', async (device) => {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 20);
  const { stopped, history } = await fit(
    mlp({ hidden: 4, out: 2 }),
    { train: circle(20), test: circle(10) },
    {
      ...{ optimizer: sgd({ lr: 0.1 }), epochs: 1e7, batch: 10, device },
      signal: controller.signal,
    },
  );
  expect(stopped).toBe('aborted');
  expect(history.length).toBeLessThan(1e7);
});
